"""What can go wrong in the cloud, as a branch of the node's tree, so that one table maps both to HTTP.

NadiError
├── SettingsError           the settings cannot be used; every problem is named
├── StoreError
│   ├── DatabaseError       the database cannot be reached or used
│   ├── KeysError           the keys cannot be read, or the passphrase does not open them
│   └── NotInitialisedError there is no cloud in this folder yet
├── RefusedError
│   └── NodeRefusedError    a box may not exchange: unknown, revoked, expired, or of another epoch
└── SignedOutError, CredentialsError, NotFoundError, InvalidError as in node.errors

Every error writes its own sentence and carries a ``hint``: what the person in front of it can do next. Neither ever holds
a value of a patient's record.
"""

from node.errors import (
    CredentialsError,
    InvalidError,
    NadiError,
    NotFoundError,
    RefusedError,
    SettingsError,
    SignedOutError,
    StoreError,
)


class DatabaseError(StoreError):
    """The database cannot be reached or used."""

    hint = "Check NADI_CLOUD_DATABASE_URL, and that PostgreSQL runs and lets this user in."


class KeysError(StoreError):
    """The keys cannot be read, or the passphrase does not open them."""

    hint = "Check the passphrase (capitals, keyboard layout) and try again. Nothing was changed."


class NotInitialisedError(StoreError):
    """There is no cloud in this folder yet."""

    hint = "Run 'nadi-cloud init' first, or name the right folder with --data."


class NodeRefusedError(RefusedError):
    """A box may not exchange: unknown, revoked, expired, or of another epoch."""

    hint = "Ask the admin of the cloud for a new enrolment code. What was written on the box stays there."

    def __init__(self, sentence: str, hint: str | None = None) -> None:
        NadiError.__init__(self, sentence, hint)
        self.permission = None


__all__ = [
    "CredentialsError",
    "DatabaseError",
    "InvalidError",
    "KeysError",
    "NadiError",
    "NodeRefusedError",
    "NotFoundError",
    "NotInitialisedError",
    "RefusedError",
    "SettingsError",
    "SignedOutError",
    "StoreError",
]
