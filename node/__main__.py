"""``python -m node`` is the ``nadi`` command."""

from node.cli import main

main()
