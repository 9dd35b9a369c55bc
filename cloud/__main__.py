"""``python -m cloud``: the command ``nadi-cloud``."""

from cloud.cli import main

main()
