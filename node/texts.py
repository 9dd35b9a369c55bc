"""Marks texts that a person reads, wherever they are written. It knows no language, no catalogue and no page."""


def translatable(message: str) -> str:
    """Return the message as it is: the name marks it for the catalogue, the page translates it when it is shown."""
    return message
