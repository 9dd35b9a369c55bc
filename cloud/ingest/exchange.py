"""One exchange, from bytes to bytes: what a box sends is verified, logged, merged and handed on in one transaction.

Knows no transport. Everything that decides about chains and signatures is sync.exchange's; what is read and written is here.
A repeated request finds its operations known and changes no row; a lost answer is that and no more.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from cloud.errors import NodeRefusedError
from cloud.ingest import entitlement, feed, nodes
from cloud.ingest.enrolment import directory
from cloud.ingest.nodes import Contact, Node
from cloud.store.centre import Centre, at
from sync.chain import GENESIS
from sync.clock import milliseconds_of
from sync.errors import ForkError, GapError, WireError
from sync.exchange import (
    Claimed,
    Known,
    Verified,
    answers_to,
    check_signature,
    claims,
    continue_chain,
    lane_statement,
    leaves_of,
    open_request,
    seeds_carried,
    sign_reply,
)
from sync.log import OUT_OF_SCOPE
from sync.operations import AUDIT, Operation
from sync.protocol import AWAITING_SEED, VERSION, Aside, ExchangeReply, ExchangeRequest, Head
from sync.stores.postgres import Author, Connection, Log, Sealed

GAP, FORK, UNVERIFIED = "gap", "fork", "unverified"
"""Why a lane was not taken. unverified: it came with one that awaits a seed, so that the signature could not be checked."""

ID_BYTES, STAMP_BITS = 16, 63
Leaves: TypeAlias = list[tuple[bytes, bytes]]


class Pushed(msgspec.Struct, frozen=True):
    """What became of the lanes of a request."""

    heads: list[Head] = []
    aside: list[Aside] = []
    verified: bool = True


async def exchange(centre: Centre, data: bytes, software: str | None = None) -> bytes:
    """The signed answer to a request; raises SyncError or NodeRefusedError where there is none."""
    received_at = centre.wall()
    request = open_request(data)
    node = await centre.database.read(lambda connection: nodes.find(connection, request.alias))
    nodes.admit(node, request.epoch, at(received_at))
    centre.authors.add(Author(node.alias, node.fingerprint, node.clinic))
    contact = Contact(at=at(received_at), clock_offset_ms=request.sent_at - received_at, software=software)
    pushed = await _push(centre, node, request, contact)
    page = feed.Page(None, request.cursor, more=False)
    clinics = None
    if pushed.verified:
        page = await centre.database.read(
            lambda connection: feed.read(centre.log(connection), node, request.cursor, request.pull, centre.today())
        )
        if node.directory > request.directory:
            clinics = await centre.database.read(lambda connection: directory(connection, request.directory))
    reply = ExchangeReply(
        version=VERSION,
        answers=answers_to(request),
        received_at=received_at,
        answered_at=centre.wall(),
        heads=pushed.heads,
        aside=pushed.aside,
        cursor=page.cursor,
        more=page.more,
        next_after=centre.settings.next_after,
        page=page.batch,
        directory=clinics,
    )
    return sign_reply(reply, centre.signing)


async def _push(centre: Centre, node: Node, request: ExchangeRequest, contact: Contact) -> Pushed:
    if request.chunks:
        claimed = claims(request, node.fingerprint)
        _refuse_unstorable(claimed)
        return await centre.database.write(
            lambda connection: _Push(centre, centre.log(connection), node, request, contact).take(claimed)
        )
    check_signature(request, node.public_key, node.fingerprint, [])
    if nodes.worth_noting(node, contact.at):
        await centre.database.write(lambda connection: nodes.note(connection, node, contact))
    return Pushed()


def _refuse_unstorable(claimed: Sequence[Claimed]) -> None:
    if len({lane.lane for lane in claimed}) != len(claimed):
        raise WireError("A request carries a lane once.")
    for lane in claimed:
        if "\0" in lane.lane or not all(map(_is_storable, lane.operations)):
            raise WireError("A request holds an operation with an id, a stamp or a name that cannot be.")


def _is_storable(operation: Operation) -> bool:
    o = operation
    ids = (o.record, o.scope, *filter(None, (o.patient, o.actor)))
    return (
        all(len(identifier) == ID_BYTES for identifier in ids)
        and 0 < o.hlc < 1 << STAMP_BITS
        and 0 < o.group_first <= o.dot.sequence < 1 << STAMP_BITS
        and "\0" not in o.type
    )


class _Push:
    """One transaction: the lanes of one request."""

    def __init__(self, centre: Centre, log: Log, node: Node, request: ExchangeRequest, contact: Contact) -> None:
        self.centre, self.log, self.node, self.request, self.contact = centre, log, node, request, contact
        self.connection: Connection = log.connection
        self.statement = b""

    async def take(self, claimed: Sequence[Claimed]) -> Pushed:
        """Verify, log, merge and feed the lanes; what cannot be taken is answered with the head and a reason."""
        await nodes.lock(self.connection, self.node.alias)
        if await self._is_shut_out():
            raise NodeRefusedError("This box has been shut out by the admin of the cloud.")
        leaves = await self._leaves(claimed)
        awaiting = {lane.lane for lane, found in zip(claimed, leaves, strict=True) if found is None}
        if awaiting:
            told = [_unmoved(lane, AWAITING_SEED if lane.lane in awaiting else UNVERIFIED) for lane in claimed]
            return Pushed(told, verified=False)
        sealed = [found for found in leaves if found is not None]
        self._check_signature(claimed, sealed)
        return await self._continue(claimed, sealed, await self._heads())

    async def _is_shut_out(self) -> bool:
        query = "SELECT revoked_at IS NOT NULL OR epoch <> $2 FROM node WHERE alias = $1"
        return await self.connection.fetchval(query, self.node.alias, self.request.epoch)

    async def _heads(self) -> dict[str, Known]:
        rows = await self.connection.fetch(
            "SELECT lane, sequence, hash FROM lane_head WHERE author = $1 AND epoch = $2",
            self.node.alias,
            self.request.epoch,
        )
        return {row["lane"]: Known(row["sequence"], row["hash"]) for row in rows}

    async def _leaves(self, claimed: Sequence[Claimed]) -> list[Leaves | None]:
        carried = seeds_carried(claimed)
        subjects = {operation.subject for lane in claimed for operation in lane.operations}
        seeds = await self.log.seeds(subjects - carried.keys(), self.node.alias) | carried
        return [leaves_of(lane, seeds) for lane in claimed]

    def _check_signature(self, claimed: Sequence[Claimed], sealed: Sequence[Leaves]) -> None:
        statements = [
            lane_statement(lane, [leaf for _, leaf in leaves]) for lane, leaves in zip(claimed, sealed, strict=True)
        ]
        self.statement = check_signature(self.request, self.node.public_key, self.node.fingerprint, statements)

    async def _continue(self, claimed: Sequence[Claimed], sealed: Sequence[Leaves], heads: dict[str, Known]) -> Pushed:
        verified: list[Verified] = []
        reasons: dict[str, str] = {}
        aside: list[Aside] = []
        for lane, leaves in zip(claimed, sealed, strict=True):
            known, repeated = await self._repeated(lane, heads.get(lane.lane, Known()))
            try:
                verified.append(continue_chain(lane, leaves, known))
                aside += repeated
            except GapError:
                reasons[lane.lane] = GAP
            except ForkError as fork:
                reasons[lane.lane] = FORK
                await self._record(fork)
        aside += await self._store([lane for lane in verified if lane.operations])
        for lane in verified:
            heads[lane.lane] = Known(lane.sequence, lane.head)
        return Pushed([_head(heads, lane.lane, reasons.get(lane.lane, "")) for lane in claimed], aside)

    async def _repeated(self, lane: Claimed, known: Known) -> tuple[Known, list[Aside]]:
        """What is held of the operations that a lane repeats: their leaves, and which of them were set aside."""
        first, last = lane.operations[0].dot.sequence, lane.operations[-1].dot.sequence
        if first > known.sequence:
            return known, []
        rows = await self.connection.fetch(
            "SELECT sequence, leaf, set_aside FROM operation"
            " WHERE author = $1 AND epoch = $2 AND lane = $3 AND sequence BETWEEN $4 AND $5 ORDER BY sequence",
            self.node.alias,
            self.request.epoch,
            lane.lane,
            first,
            last,
        )
        leaves = {row["sequence"]: row["leaf"] for row in rows}
        aside = [Aside(lane.lane, row["sequence"], row["set_aside"]) for row in rows if row["set_aside"]]
        return msgspec.structs.replace(known, leaves=leaves), aside

    async def _record(self, fork: ForkError) -> None:
        await self.connection.execute(
            "INSERT INTO fork (author, epoch, lane, sequence, signature, statement) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT DO NOTHING",
            self.node.alias,
            self.request.epoch,
            fork.lane,
            fork.sequence,
            self.request.signature,
            self.statement,
        )

    # -- storing what is new

    async def _store(self, lanes: Sequence[Verified]) -> list[Aside]:
        new = [item for lane in lanes for item in lane.operations]
        if not new:
            if nodes.worth_noting(self.node, self.contact.at):
                await nodes.note(self.connection, self.node, self.contact)
            return []
        reasons = await self._log_and_feed(new)
        await self._move_heads(lanes)
        await self._keep_signature([lane.lane for lane in lanes])
        oldest = min(operation.hlc for operation, _, _ in new)
        lag = int(self.contact.at.timestamp() * 1000) - milliseconds_of(oldest)
        await nodes.note(self.connection, self.node, msgspec.structs.replace(self.contact, lag_ms=max(lag, 0)))
        return reasons

    async def _log_and_feed(self, new: Sequence[tuple[Operation, bytes, bytes]]) -> list[Aside]:
        operations = [operation for operation, _, _ in new]
        shared = [operation for operation in operations if operation.dot.lane != AUDIT]
        await entitlement.lock(self.connection, self.centre.registry, shared)
        rights = await entitlement.rights_to(self.connection, {operation.subject for operation in shared})
        await entitlement.save(
            self.connection, entitlement.homes(self.centre.registry, shared, self.node.clinic, rights)
        )
        strays = entitlement.out_of_scope(self.centre.registry, operations, self.node.clinic, rights)
        folded = await self.log.receive(
            self.node.alias,
            self.request.epoch,
            [Sealed(*item, OUT_OF_SCOPE if at in strays else None) for at, item in enumerate(new)],
        )
        await self.log.keep_seeds(self.node.alias, _lasting_seeds(operations))
        aside = [Aside(o.dot.lane, o.dot.sequence, OUT_OF_SCOPE) for at, o in enumerate(operations) if at in strays]
        aside += [Aside(item.dot.lane, item.dot.sequence, item.reason) for item in folded.set_aside]
        kept_back = {(item.lane, item.sequence) for item in aside if item.reason == OUT_OF_SCOPE}
        fed = [operation for operation in shared if (operation.dot.lane, operation.dot.sequence) not in kept_back]
        granted = entitlement.granted(self.log, folded, rights, self.centre.today())
        await self._feed(fed, rights, granted)
        return sorted(aside, key=lambda item: (item.lane, item.sequence))

    async def _feed(
        self, operations: Sequence[Operation], rights: entitlement.Rights, granted: Sequence[entitlement.Right]
    ) -> None:
        today, own = self.centre.today(), self.node.clinic
        await entitlement.save(self.connection, granted)
        filled = dict.fromkeys(entitlement.newly_entitled(rights, granted, today))
        await entitlement.backfill(self.log, list(filled))
        rows = entitlement.live_rows(operations, rights, own, today, filled)
        acted = [(o.actor, clinic, own) for clinic, o in rows if o.actor is not None and o.patient is not None]
        await entitlement.feed_actors(self.log, acted)
        await feed.write(self.log, self.node.alias, self.request.epoch, rows)

    async def _move_heads(self, lanes: Sequence[Verified]) -> None:
        await self.connection.execute(
            "INSERT INTO lane_head (author, epoch, lane, sequence, hash, hlc)"
            " SELECT $1::integer, $2::bigint, * FROM unnest($3::text[], $4::bigint[], $5::bytea[], $6::bigint[])"
            " ON CONFLICT (author, epoch, lane) DO UPDATE"
            " SET sequence = excluded.sequence, hash = excluded.hash, hlc = excluded.hlc, moved_at = now()",
            self.node.alias,
            self.request.epoch,
            [lane.lane for lane in lanes],
            [lane.sequence for lane in lanes],
            [lane.head for lane in lanes],
            [lane.operations[-1][0].hlc for lane in lanes],
        )

    async def _keep_signature(self, lanes: Sequence[str]) -> None:
        await self.connection.execute(
            "INSERT INTO request_signature (author, signature, statement, lanes) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING",
            self.node.alias,
            self.request.signature,
            self.statement,
            lanes,
        )


def _head(heads: dict[str, Known], lane: str, reason: str) -> Head:
    known = heads.get(lane, Known(0, GENESIS))
    return Head(lane, known.sequence, known.hash, reason)


def _unmoved(lane: Claimed, reason: str) -> Head:
    """Where the request itself says that the lane was: nothing of ours, since nobody has proved yet to be the box."""
    return Head(lane.lane, lane.operations[0].dot.sequence - 1, lane.previous, reason)


def _lasting_seeds(operations: Sequence[Operation]) -> dict[bytes, bytes]:
    """Seeds that later operations may need: not those of audit entries about nobody, which nothing follows."""
    return {
        o.subject: o.seed for o in operations if o.seed is not None and not (o.dot.lane == AUDIT and o.patient is None)
    }
