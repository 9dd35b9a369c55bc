"""One exchange between a node and the cloud, both sides, sans-I/O: bytes and values in, bytes and values out.

Knows no socket and no database. Whoever drives it reads and stores; everything that decides is here.
"""

from collections.abc import Mapping, Sequence

import msgspec

from sync.chain import (
    GENESIS,
    LaneStatement,
    SigningKey,
    head_of,
    sealed_leaf,
    state_lane,
    verify,
)
from sync.errors import ForkError, GapError, SignatureError, WireError
from sync.operations import Operation, canonical
from sync.protocol import (
    AWAITING_SEED,
    MAX_PUSH_OPERATIONS,
    VERSION,
    ExchangeReply,
    ExchangeRequest,
    LaneChunk,
    SignedReply,
    Statement,
)
from sync.wire import compress, expand, pack, unpack

DOMAIN = "nadi/exchange/1"
_ANSWERS = 8

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_request_decoder = msgspec.msgpack.Decoder(ExchangeRequest)
_signed_decoder = msgspec.msgpack.Decoder(SignedReply)
_reply_decoder = msgspec.msgpack.Decoder(ExchangeReply)


class Outgoing(msgspec.Struct, frozen=True):
    """What one lane pushes: the operations, their leaves, and the chain's hash before them."""

    operations: list[Operation]
    leaves: list[bytes]
    previous: bytes


class Composed(msgspec.Struct, frozen=True):
    """A request as bytes, and what its answer must repeat."""

    data: bytes
    answers: bytes


class Place(msgspec.Struct, frozen=True):
    """Where a node is: its alias and epoch, the cursor of its feed, the version of its list of clinics."""

    alias: int
    epoch: int
    cursor: bytes = b""
    directory: int = 0


def compose(
    place: Place,
    key: SigningKey,
    clinic: bytes,
    lanes: Mapping[str, Outgoing],
    *,
    sent_at: int,
    pull: int,
) -> Composed:
    """The request that pushes these lanes and pulls up to ``pull`` operations."""
    statements = [
        state_lane(lane, out.operations[0].dot.sequence, out.previous, out.leaves) for lane, out in lanes.items()
    ]
    chunks = [
        LaneChunk(lane, out.previous, pack(out.operations, {key.fingerprint: clinic})) for lane, out in lanes.items()
    ]
    statement = Statement(DOMAIN, key.fingerprint, place.epoch, sent_at, place.cursor, statements)
    signature = key.sign(_encoder.encode(statement))
    request = ExchangeRequest(
        VERSION, place.alias, place.epoch, sent_at, place.cursor, place.directory, pull, chunks, signature
    )
    return Composed(compress(request), signature[:_ANSWERS])


def read_reply(data: bytes, composed: Composed, cloud_key: bytes) -> ExchangeReply:
    """The cloud's answer to this request; raises WireError or SignatureError for anything else."""
    signed: SignedReply = expand(data, _signed_decoder)
    verify(cloud_key, signed.signature, signed.body)
    try:
        reply = _reply_decoder.decode(signed.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError("The cloud's answer is not of this protocol.") from error
    if reply.answers != composed.answers:
        raise SignatureError("This answer belongs to another request.")
    return reply


def pulled(reply: ExchangeReply) -> tuple[list[tuple[Operation, bytes]], dict[bytes, bytes]]:
    """The operations of a page with their canonical bytes, and the clinics of their authors."""
    if reply.page is None:
        return [], {}
    operations, clinics = unpack(reply.page)
    return [(operation, canonical(operation)) for operation in operations], clinics


# -- the cloud's side


class Claimed(msgspec.Struct, frozen=True):
    """A lane as a request claims it: unpacked, nothing verified yet."""

    lane: str
    previous: bytes
    operations: list[Operation]


class Known(msgspec.Struct, frozen=True):
    """What the cloud holds of a lane: its head, and the leaves of those operations that the request repeats."""

    sequence: int = 0
    hash: bytes = GENESIS
    leaves: dict[int, bytes] = {}


class Verified(msgspec.Struct, frozen=True):
    """What is new in a lane, each operation with canonical bytes and leaf, and the head that it leads to."""

    lane: str
    operations: list[tuple[Operation, bytes, bytes]]
    head: bytes
    sequence: int


def open_request(data: bytes) -> ExchangeRequest:
    """The request of its bytes; raises WireError."""
    request: ExchangeRequest = expand(data, _request_decoder)
    if request.version != VERSION:
        raise WireError("This version of the protocol is not spoken here.", "Update the software of the box.")
    return request


def claims(request: ExchangeRequest, author: bytes) -> list[Claimed]:
    """The lanes of a request; raises WireError where one holds what its author did not write in sequence."""
    claimed = [Claimed(c.lane, c.previous, unpack(c.batch)[0]) for c in request.chunks]
    if sum(len(lane.operations) for lane in claimed) > MAX_PUSH_OPERATIONS:
        raise WireError(f"A request carries at most {MAX_PUSH_OPERATIONS} operations.")
    for lane in claimed:
        _refuse_disorder(lane, author, request.epoch)
    return claimed


def _refuse_disorder(lane: Claimed, author: bytes, epoch: int) -> None:
    if not lane.operations:
        raise WireError("A lane without operations is not sent.")
    first = lane.operations[0].dot.sequence
    sequence = first
    for sequence, operation in enumerate(lane.operations, first):
        dot = operation.dot
        if (dot.author, dot.epoch, dot.lane, dot.sequence) != (author, epoch, lane.lane, sequence):
            raise WireError("A chunk holds only its author's operations, of one epoch and lane, in sequence.")
    if lane.operations[0].group_first != first or _group_end(lane.operations[-1]) != sequence:
        raise WireError("A chunk does not split a group.")


def _group_end(operation: Operation) -> int:
    return operation.group_first + operation.group_count - 1


def seeds_carried(claimed: Sequence[Claimed]) -> dict[bytes, bytes]:
    """The seeds that operations of a request bring along, by subject."""
    return {o.subject: o.seed for lane in claimed for o in lane.operations if o.seed is not None}


def leaves_of(lane: Claimed, seeds: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]] | None:
    """Canonical bytes and leaf of each operation of a lane; None where a subject's seed has not arrived yet."""
    found = [seeds.get(operation.subject) for operation in lane.operations]
    if any(seed is None for seed in found):
        return None
    return [sealed_leaf(seed, o) for seed, o in zip(found, lane.operations, strict=True) if seed is not None]


def check_signature(
    request: ExchangeRequest, public_key: bytes, author: bytes, lanes: Sequence[LaneStatement]
) -> bytes:
    """The statement that the node signed; raises SignatureError unless it says just what this request holds."""
    statement = _encoder.encode(Statement(DOMAIN, author, request.epoch, request.sent_at, request.cursor, [*lanes]))
    verify(public_key, request.signature, statement)
    return statement


def lane_statement(lane: Claimed, leaves: Sequence[bytes]) -> LaneStatement:
    """What the signature must say of a lane."""
    return state_lane(lane.lane, lane.operations[0].dot.sequence, lane.previous, leaves)


def continue_chain(lane: Claimed, sealed: Sequence[tuple[bytes, bytes]], known: Known) -> Verified:
    """What is new in a lane. Raises GapError where it starts after the head, ForkError where it contradicts it."""
    first = lane.operations[0].dot.sequence
    if first > known.sequence + 1:
        raise GapError(lane.lane, known.sequence + 1, first)
    new: list[tuple[Operation, bytes, bytes]] = []
    for operation, (data, leaf) in zip(lane.operations, sealed, strict=True):
        sequence = operation.dot.sequence
        if sequence > known.sequence:
            new.append((operation, data, leaf))
        elif known.leaves.get(sequence) != leaf:
            raise ForkError(lane.lane, sequence)
    if first == known.sequence + 1 and lane.previous != known.hash:
        raise ForkError(lane.lane, known.sequence)
    head = head_of(known.hash, lane.lane, known.sequence + 1, (leaf for *_, leaf in new))
    return Verified(lane.lane, new, head, max(known.sequence, first + len(lane.operations) - 1))


def sign_reply(reply: ExchangeReply, key: SigningKey) -> bytes:
    """The answer as bytes, signed by the cloud."""
    body = msgspec.msgpack.encode(reply)
    return compress(SignedReply(body, key.sign(body)))


def answers_to(request: ExchangeRequest) -> bytes:
    """What an answer to this request repeats."""
    return request.signature[:_ANSWERS]


__all__ = [
    "AWAITING_SEED",
    "Claimed",
    "Composed",
    "Known",
    "Outgoing",
    "Place",
    "Verified",
    "answers_to",
    "check_signature",
    "claims",
    "compose",
    "continue_chain",
    "lane_statement",
    "leaves_of",
    "open_request",
    "pulled",
    "read_reply",
    "seeds_carried",
    "sign_reply",
]
