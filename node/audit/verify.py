"""Verifying this node's own chains, offline: every leaf from its bytes, every link from its leaf. Knows no web."""

import msgspec

from sync.chain import GENESIS, extend, leaf_of
from sync.operations import canonical, id_text
from sync.stores.sqlite import Log, Stored

PAGE = 1_000


class Progress(msgspec.Struct, frozen=True):
    """How far a lane has been found to hold: that many entries, and the hash that the next must follow."""

    lane: str
    entries: int = 0
    link: bytes = GENESIS


class Finding(msgspec.Struct, frozen=True):
    """What verifying one lane found."""

    lane: str
    entries: int
    holds: bool
    sentence: str


def verify_chain(log: Log, author: bytes, epoch: int) -> list[Finding]:
    """What holds, lane by lane; the first entry that does not is named."""
    return [_verify_lane(log, author, epoch, lane) for lane in sorted(log.lanes(author, epoch))]


def _verify_lane(log: Log, author: bytes, epoch: int, lane: str) -> Finding:
    so_far: Progress | Finding = Progress(lane)
    while isinstance(so_far, Progress):
        so_far = verify_page(log, author, epoch, so_far)
    return so_far


def verify_page(log: Log, author: bytes, epoch: int, so_far: Progress) -> Progress | Finding:
    """One step of verifying a lane, so that a long one need not be read at once: a finding at its end or first fault."""
    lane, expected, previous = so_far.lane, so_far.entries + 1, so_far.link
    page = log.after(author, epoch, lane, expected - 1, PAGE)
    if not page:
        return Finding(lane, expected - 1, True, f"{lane}: {expected - 1} entries, the chain verifies.")  # noqa: FBT003
    for stored in page:
        dot = stored.operation.dot
        if dot.sequence != expected:
            return Finding(lane, expected - 1, False, f"{lane}: entry {expected} is missing.")  # noqa: FBT003
        leaf = _leaf(log, stored)
        link = extend(previous, lane, expected, leaf)
        if leaf != stored.leaf or link != stored.hash:
            record = f"{stored.operation.type} {id_text(stored.operation.record)}"
            sentence = f"{lane}: entry {expected} ({record}) has been altered."
            return Finding(lane, expected - 1, False, sentence)  # noqa: FBT003
        expected, previous = expected + 1, link
    return Progress(lane, expected - 1, previous)


def _leaf(log: Log, stored: Stored) -> bytes:
    operation = stored.operation
    seed = operation.seed or log.seed(operation.subject) or b""
    return leaf_of(seed, operation.dot, canonical(operation))
