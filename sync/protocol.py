"""The messages of one exchange: push and pull in one request. Shapes only; knows no transport and no store.

``POST /sync/v1/exchange``, zstd-compressed positional msgpack both ways, media type ``application/vnd.nadi.sync``.
"""

import msgspec

from sync.chain import LaneStatement
from sync.wire import Batch

VERSION = 1
MEDIA_TYPE = "application/vnd.nadi.sync"
MAX_PUSH_OPERATIONS = 2_000
MAX_PUSH_BYTES = 64 * 1024
EXCHANGE_PATH, ENROL_PATH = "/sync/v1/exchange", "/sync/v1/enrol"

AWAITING_SEED = "awaiting_seed"
"""Why a lane was not taken: it concerns a patient whose creating operation has not arrived; send that lane first."""

FORK = "fork"
"""Why a lane was not taken: the cloud knows one of its dots with another leaf. A copy of the box has written too."""


class LaneChunk(msgspec.Struct, frozen=True, array_like=True):
    """Operations of one lane that follow ``previous``, the chain's hash before them."""

    lane: str
    previous: bytes
    batch: Batch


class ExchangeRequest(msgspec.Struct, frozen=True, array_like=True):
    """What a node sends. alias: its number. sent_at: its clock, Unix milliseconds. cursor: of its feed, as last given.

    directory: the version of the list of clinics that it has. pull: how many operations it takes; 0 for none.
    signature: Ed25519 over the ``Statement`` of this request.
    """

    version: int
    alias: int
    epoch: int
    sent_at: int
    cursor: bytes
    directory: int
    pull: int
    chunks: list[LaneChunk]
    signature: bytes


class Statement(msgspec.Struct, frozen=True, array_like=True):
    """What a node signs: one signature for all lanes of a request."""

    domain: str
    author: bytes
    epoch: int
    sent_at: int
    cursor: bytes
    lanes: list[LaneStatement]


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Where the cloud is in a lane: sequence and chain hash. reason: why a chunk was not taken, where it was not."""

    lane: str
    sequence: int
    hash: bytes
    reason: str = ""


class Aside(msgspec.Struct, frozen=True, array_like=True):
    """An operation that is logged but could not be applied, and why."""

    lane: str
    sequence: int
    reason: str


class ExchangeReply(msgspec.Struct, frozen=True, array_like=True):
    """What the cloud answers. answers: the first 8 bytes of the request's signature.

    received_at, answered_at: the cloud's clock (four-timestamp offset). heads: of the lanes that were pushed. page: what is
    new in the node's feed, with the cursor behind it, and whether there is more. next_after: seconds until the node need
    ask again. directory: version and (id, name) of the clinics, where the node's list is older.
    """

    version: int
    answers: bytes
    received_at: int
    answered_at: int
    heads: list[Head]
    aside: list[Aside]
    cursor: bytes
    more: bool
    next_after: int
    page: Batch | None = None
    directory: tuple[int, list[tuple[bytes, str]]] | None = None


class SignedReply(msgspec.Struct, frozen=True, array_like=True):
    """A reply's bytes and the cloud's signature over them."""

    body: bytes
    signature: bytes
