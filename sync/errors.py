"""What can go wrong in the sync log, as a tree. Knows no transport and no screen.

SyncError
├── RegistryError           a record type is described in a way that cannot be stored or merged
├── OperationError          an operation cannot be written
│   └── TooLargeError       ... because it is over the limit of one operation
├── WireError               bytes from elsewhere are not what the protocol says
├── ChainError              a chunk does not continue, or does not match, its author's chain
│   ├── GapError            it starts after the known head
│   ├── ForkError           an operation with a known dot has another leaf
│   └── SignatureError      the signature is not the author's
├── EnrolmentError          a code or a certificate is not (or no longer) valid
└── UnreachableError        the cloud could not be reached; the work goes on without it

Every error writes its own sentence and carries a ``hint``: what the person in front of it can do next.
"""


class SyncError(Exception):
    """The root of what the sync log raises."""

    hint = "Try again; if it stays, tell the people who look after this system."

    def __init__(self, sentence: str, hint: str | None = None) -> None:
        super().__init__(sentence)
        if hint is not None:
            self.hint = hint


class RegistryError(SyncError):
    """A record type is described in a way that cannot be stored or merged."""

    hint = "Correct the record type; nothing was started."


class OperationError(SyncError):
    """An operation cannot be written."""

    hint = "Nothing was written. Check what was entered and save again."


class TooLargeError(OperationError):
    """An operation is over the limit of one operation."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"This entry takes {size} bytes; one entry may take {limit}.")
        self.size, self.limit = size, limit

    hint = "Shorten the text, or attach it as a file."


class WireError(SyncError):
    """Bytes from elsewhere are not what the protocol says."""

    hint = "The sender must send it again; nothing was stored."


class ChainError(SyncError):
    """A chunk does not continue, or does not match, its author's chain."""

    hint = "Nothing was stored. The sender resumes from the head that is named in the answer."


class GapError(ChainError):
    """A chunk starts after the known head."""

    def __init__(self, lane: str, expected: int, got: int) -> None:
        super().__init__(f"Lane {lane} continues at {expected}; the chunk starts at {got}.")
        self.lane, self.expected, self.got = lane, expected, got


class ForkError(ChainError):
    """An operation with a known dot has another leaf: a copy of the box has written too."""

    hint = "Stop using one of the two boxes and call support; both histories are kept."

    def __init__(self, lane: str, sequence: int) -> None:
        super().__init__(f"Entry {sequence} of lane {lane} is known with other content.")
        self.lane, self.sequence = lane, sequence


class SignatureError(ChainError):
    """A signature is not the author's."""

    hint = "Nothing was stored. If this box is yours, enrol it again."


class EnrolmentError(SyncError):
    """A code or a certificate is not, or no longer, valid."""

    hint = "Ask the admin of the cloud for a new enrolment code."


class UnreachableError(SyncError):
    """The cloud could not be reached; the work goes on without it."""

    hint = "Nothing is lost: what was written here is sent by itself when the link returns."
