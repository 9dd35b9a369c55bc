"""What can go wrong in the cloud, as a tree. Knows no HTTP; cloud.problems maps it.

CloudError
├── SettingsError           the settings cannot be used; every problem is named
├── StoreError              the database or the keys cannot be used
│   └── NotInitialisedError there is no cloud in this folder yet
├── NodeRefusedError        a box may not exchange: unknown, revoked, expired, or of another epoch
├── SignedOutError          nobody is signed in
├── CredentialsError        name and password do not belong together
├── NotFoundError           there is no such thing here
└── InvalidError            what was entered cannot be accepted, field by field

Every error writes its own sentence and carries a ``hint``: what the person in front of it can do next. Neither ever holds
a value of a patient's record.
"""

from collections.abc import Mapping, Sequence


class CloudError(Exception):
    """The root of what the cloud raises."""

    hint = "Try again; if it stays, tell the person who looks after this service."

    def __init__(self, sentence: str, hint: str | None = None) -> None:
        super().__init__(sentence)
        if hint is not None:
            self.hint = hint


class SettingsError(CloudError):
    """The settings cannot be used; every problem is named."""

    hint = "Correct the settings named above and start again; nothing was changed."

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("The settings cannot be used: " + " ".join(problems))
        self.problems = tuple(problems)


class StoreError(CloudError):
    """The database or the keys cannot be used."""


class NotInitialisedError(StoreError):
    """There is no cloud in this folder yet."""

    hint = "Run 'nadi-cloud init' first, or name the right folder with --data."


class NodeRefusedError(CloudError):
    """A box may not exchange: unknown, revoked, expired, or of another epoch."""

    hint = "Ask the admin of the cloud for a new enrolment code. What was written on the box stays there."


class SignedOutError(CloudError):
    """Nobody is signed in."""

    hint = "Sign in and repeat what you did; nothing was lost."


class CredentialsError(CloudError):
    """Name and password do not belong together."""

    hint = "Check both and try again, or ask another admin for a new password."


class NotFoundError(CloudError):
    """There is no such thing here."""

    hint = "Look for it in the list; the clinic may not have sent it yet."


class InvalidError(CloudError):
    """What was entered cannot be accepted; ``fields`` says why, field by field."""

    hint = "Correct the fields named and save again; nothing was saved yet."

    def __init__(self, fields: Mapping[str, str], sentence: str = "Some entries need to be corrected.") -> None:
        super().__init__(sentence)
        self.fields = dict(fields)
