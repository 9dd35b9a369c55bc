"""What can go wrong at a node, as a tree. Knows no HTTP; node.http.problems maps it.

NadiError
├── SettingsError           the settings cannot be used; every problem is named
├── StoreError              the encrypted store cannot be used
│   ├── WrongKeyError       the passphrase, or the key it opens, is not this store's
│   ├── StoreFullError      the disk is full; nothing of this write was kept
│   └── NotInitialisedError there is no store in this folder yet
├── RefusedError            the person may not do this
│   ├── SignedOutError      nobody is signed in
│   └── CredentialsError    user name and password do not belong together
├── NotEnrolledError        the clinic has not been enrolled with a cloud
├── NotFoundError           there is no such record here
├── InvalidError            what was entered cannot be accepted, field by field
└── StaleError              somebody else has changed the record meanwhile

Every error writes its own sentence and carries a ``hint``: what the person in front of it can do next. Neither ever holds
a value of a patient's record.
"""

import re
from collections.abc import Mapping, Sequence

from node.texts import translatable


class NadiError(Exception):
    """The root of what a node raises."""

    hint = "Try again; if it stays, tell the person who looks after this box."

    def __init__(self, sentence: str, hint: str | None = None) -> None:
        super().__init__(sentence)
        if hint is not None:
            self.hint = hint


class SettingsError(NadiError):
    """The settings cannot be used; every problem is named."""

    hint = "Correct the settings named above and start again; nothing was changed."

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("The settings cannot be used: " + " ".join(problems))
        self.problems = tuple(problems)


class StoreError(NadiError):
    """The encrypted store cannot be used."""


class WrongKeyError(StoreError):
    """The passphrase, or the key it opens, is not this store's."""

    hint = "Check the passphrase (capitals, keyboard layout) and try again. The store was not touched."


class StoreFullError(StoreError):
    """The disk is full; nothing of this write was kept."""

    hint = "Nothing was lost, and nothing of this entry was saved. Free space on the box, then save again."


class NotInitialisedError(StoreError):
    """There is no store in this folder yet."""

    hint = "Run 'nadi init' first, or name the right folder with --data."


class RefusedError(NadiError):
    """The person may not do this."""

    hint = "Ask a colleague who may, or ask the admin of this clinic for the permission."

    def __init__(self, permission: str | None, what: str) -> None:
        needs = f" It takes the permission {permission}." if permission else ""
        super().__init__(f"You may not {what}.{needs}")
        self.permission = permission


class SignedOutError(NadiError):
    """Nobody is signed in."""

    hint = "Sign in and repeat what you did; nothing was lost."


class CredentialsError(NadiError):
    """User name and password do not belong together."""

    hint = "Check both and try again, or ask the admin of this clinic for a new password."


class NotEnrolledError(NadiError):
    """The clinic has not been enrolled with a cloud."""

    hint = "Ask the admin of the cloud for a code and run 'nadi enrol'. Until then everything works here, alone."


class NotFoundError(NadiError):
    """There is no such record here."""

    hint = "Look for it in the list; it may have another number, or not be shared with this clinic."


class InvalidError(NadiError):
    """What was entered cannot be accepted; ``fields`` says why, field by field."""

    hint = "Correct the fields named and save again; nothing was saved yet."

    def __init__(self, fields: Mapping[str, str], sentence: str = "Some entries need to be corrected.") -> None:
        super().__init__(sentence)
        self.fields = dict(fields)


def without_values(sentence: str) -> str:
    """A validator's sentence without what was entered, which it may quote."""
    plain = next((words for pattern, words in PLAIN if re.search(pattern, sentence)), None)
    return plain or re.sub(r"\s*'.*'", "", sentence).rstrip(" .") + "."


PLAIN = (
    (r"length <= \d+", translatable("This is too long.")),
    (r"length >= 1\b", translatable("This must not be empty.")),
    (r"^Object missing required field", translatable("Something that is needed is missing.")),
)
"""What people read instead of a validator's own words."""


class StaleError(NadiError):
    """Somebody else has changed the record meanwhile."""

    hint = "Open it again, look at what changed, and repeat what you did."
