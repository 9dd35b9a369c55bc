"""Clinics, their one-time codes, and the certificates that boxes get for them. Knows no transport."""

import hashlib
from datetime import timedelta

import msgspec

from cloud.errors import InvalidError, NotFoundError
from cloud.store.centre import Centre, at
from sync.certificates import (
    SECRET_BYTES,
    Certificate,
    EnrolRequest,
    SignedCertificate,
    check_request,
    issue,
    make_code,
)
from sync.chain import fingerprint
from sync.errors import EnrolmentError
from sync.operations import Id, id_bytes, new_id
from sync.stores.postgres import Author, Connection

MAX_NAME = 120
ID_BYTES = 16
_DAY_MS = 86_400_000


class NewClinic(msgspec.Struct, frozen=True):
    """A clinic that was added: its id until it enrols, its name, the code to give to whoever sets the box up."""

    id: str
    name: str
    code: str


async def add_clinic(centre: Centre, name: str, by: str) -> NewClinic:
    """A new clinic and its one-time code; raises InvalidError for a name that cannot be."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or "\0" in name:
        raise InvalidError({"name": f"A clinic's name has 1 to {MAX_NAME} characters."})
    clinic = new_id(centre.wall())

    async def work(connection: Connection) -> str:
        await connection.execute("INSERT INTO clinic (id, name) VALUES ($1, $2)", id_bytes(clinic), name)
        return await _new_code(centre, connection, id_bytes(clinic), by)

    return NewClinic(clinic, name, await centre.database.write(work))


async def another_code(centre: Centre, clinic: str, by: str) -> NewClinic:
    """A new code for a clinic that is known: the last one was lost or has expired, or the box is replaced."""

    async def work(connection: Connection) -> NewClinic:
        name = await connection.fetchval("SELECT name FROM clinic WHERE id = $1", id_bytes(clinic))
        if name is None:
            raise NotFoundError("There is no such clinic here.")
        return NewClinic(clinic, name, await _new_code(centre, connection, id_bytes(clinic), by))

    return await centre.database.write(work)


async def _new_code(centre: Centre, connection: Connection, clinic: Id, by: str) -> str:
    code, secret = make_code(centre.signing.public)
    expires_at = centre.now() + timedelta(hours=centre.settings.code_hours)
    await connection.execute(
        "INSERT INTO enrolment_code (secret_hash, clinic, made_by, expires_at) VALUES ($1, $2, $3, $4)",
        _hash(secret),
        clinic,
        by,
        expires_at,
    )
    return code


def _hash(secret: bytes) -> bytes:
    return hashlib.sha256(b"nadi/enrolment-code/1" + secret).digest()


async def enrol(centre: Centre, request: EnrolRequest) -> SignedCertificate:
    """The certificate for a box that shows a code; raises EnrolmentError for a code that is wrong, used or expired."""
    check_request(request)
    if len(request.clinic) != ID_BYTES or len(request.secret) != SECRET_BYTES or not 0 < request.epoch < 2**31:
        raise EnrolmentError("This is not a request to enrol.", "Update the software of the box.")

    async def work(connection: Connection) -> SignedCertificate:
        clinic = await _use_code(centre, connection, request.secret)
        name = await _settle_clinic(centre, connection, clinic, request.clinic)
        return await _certify(centre, connection, request, name)

    signed = await centre.database.write(work)
    certificate = msgspec.msgpack.decode(signed.body, type=Certificate)
    centre.authors.add(Author(certificate.alias, fingerprint(request.public_key), request.clinic))
    return signed


async def _use_code(centre: Centre, connection: Connection, secret: bytes) -> Id:
    row = await connection.fetchrow(
        "UPDATE enrolment_code SET used_at = $2 WHERE secret_hash = $1 AND used_at IS NULL AND expires_at > $2"
        " RETURNING clinic",
        _hash(secret),
        centre.now(),
    )
    if row is None:
        raise EnrolmentError("This code is not known here, has been used, or has expired.")
    return row["clinic"]


async def _settle_clinic(centre: Centre, connection: Connection, planned: Id, own: Id) -> str:
    """The name of the clinic. The first box brings the id under which it has worked so far; that id stays."""
    await connection.execute("LOCK TABLE clinic IN SHARE ROW EXCLUSIVE MODE")
    if planned != own:
        enrolled = await connection.fetchval("SELECT enrolled_at FROM clinic WHERE id = $1", planned)
        if enrolled is not None:
            hint = "Ask the admin of the cloud for a code of this box's own clinic."
            raise EnrolmentError("This code is for another clinic than this box's.", hint)
        if await connection.fetchval("SELECT true FROM clinic WHERE id = $1", own):
            hint = "Ask the admin for a new code of that clinic; another clinic of the same box is not needed."
            raise EnrolmentError("This box's clinic is known here under another name.", hint)
        await connection.execute("UPDATE enrolment_code SET clinic = $2 WHERE clinic = $1", planned, own)
    row = await connection.fetchrow(
        "UPDATE clinic SET id = $2, enrolled_at = coalesce(enrolled_at, $3), changed = nextval('clinic_change')"
        " WHERE id = $1 RETURNING name",
        planned,
        own,
        centre.now(),
    )
    if row is None:
        raise EnrolmentError("The clinic of this code is not known here any more.")
    return row["name"]


async def _certify(
    centre: Centre, connection: Connection, request: EnrolRequest, clinic_name: str
) -> SignedCertificate:
    now = centre.wall()
    until = now + centre.settings.certificate_days * _DAY_MS
    author = fingerprint(request.public_key)
    alias = await connection.fetchval(
        "INSERT INTO node (fingerprint, public_key, clinic, epoch, certificate, not_after) VALUES ($1, $2, $3, $4, '', $5)"
        " ON CONFLICT (fingerprint) DO UPDATE SET epoch = excluded.epoch, not_after = excluded.not_after, revoked_at = NULL"
        " WHERE node.clinic = excluded.clinic RETURNING alias",
        author,
        request.public_key,
        request.clinic,
        request.epoch,
        at(until),
    )
    if alias is None:
        raise EnrolmentError("This box is known here as another clinic's.", "Set the box up anew for this clinic.")
    certificate = Certificate(alias, request.public_key, request.clinic, clinic_name, request.epoch, now, until)
    signed = issue(certificate, centre.signing)
    await connection.execute("UPDATE node SET certificate = $2 WHERE alias = $1", alias, msgspec.msgpack.encode(signed))
    return signed


async def revoke(centre: Centre, alias: int) -> None:
    """Shut a box out from its next contact on."""

    async def work(connection: Connection) -> None:
        tag = await connection.execute("UPDATE node SET revoked_at = $2 WHERE alias = $1", alias, centre.now())
        if tag != "UPDATE 1":
            raise NotFoundError("There is no such box here.")

    await centre.database.write(work)


async def directory(connection: Connection, known: int) -> tuple[int, list[tuple[bytes, str]]] | None:
    """Version, and id and name of every enrolled clinic, where a box knows an older version; else None."""
    version = await connection.fetchval("SELECT coalesce(max(changed), 0) FROM clinic")
    if version <= known:
        return None
    rows = await connection.fetch("SELECT id, name FROM clinic WHERE enrolled_at IS NOT NULL ORDER BY name, id")
    return version, [(row["id"], row["name"]) for row in rows]
