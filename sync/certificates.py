"""Enrolment codes and node certificates. Pure; knows no store and no transport.

A code carries a one-time secret and the beginning of the cloud's key fingerprint, so that a node knows whom it enrols with
before it trusts anything that the cloud says.
"""

import base64
import os

import msgspec

from sync.chain import SigningKey, fingerprint, verify
from sync.errors import EnrolmentError, SignatureError

SECRET_BYTES, HINT_BYTES = 8, 4
_ALPHABET = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_BACK = bytes.maketrans(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class Certificate(msgspec.Struct, frozen=True, array_like=True):
    """What the cloud says of a node: its number on the wire, key, clinic, epoch, and until when (Unix milliseconds)."""

    alias: int
    public_key: bytes
    clinic: bytes
    clinic_name: str
    epoch: int
    not_before: int
    not_after: int


class SignedCertificate(msgspec.Struct, frozen=True, array_like=True):
    """A certificate's bytes and the cloud's signature over them."""

    body: bytes
    signature: bytes
    cloud_key: bytes


class EnrolRequest(msgspec.Struct, frozen=True, array_like=True):
    """What a node asks with: secret of the code, own public key, the clinic id it works under, a proof of the key."""

    version: int
    secret: bytes
    public_key: bytes
    clinic: bytes
    epoch: int
    signature: bytes


def make_code(cloud_public_key: bytes, secret: bytes | None = None) -> tuple[str, bytes]:
    """A one-time code for a person to type (20 characters of Crockford's base 32 in fives), and its secret."""
    secret = secret or os.urandom(SECRET_BYTES)
    raw = base64.b32encode(secret + fingerprint(cloud_public_key)[:HINT_BYTES]).rstrip(b"=")
    text = raw.translate(_ALPHABET).decode()
    return "-".join(text[at : at + 5] for at in range(0, len(text), 5)), secret


def read_code(code: str) -> tuple[bytes, bytes]:
    """The secret and the beginning of the cloud's fingerprint; raises EnrolmentError for what is no code."""
    text = code.upper().translate(_MISREAD)
    known = set(text) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    try:
        raw = base64.b32decode(text.encode().translate(_BACK) + b"=" * (-len(text) % 8)) if known else b""
    except ValueError:
        raw = b""
    if len(raw) != SECRET_BYTES + HINT_BYTES:
        raise EnrolmentError("This is not an enrolment code.", "Type the code again; it has 20 letters and digits.")
    return raw[:SECRET_BYTES], raw[SECRET_BYTES:]


def _statement(secret: bytes, public_key: bytes, clinic: bytes, epoch: int) -> bytes:
    return msgspec.msgpack.encode(["nadi/enrol/1", secret, public_key, clinic, epoch])


def ask_to_enrol(code: str, key: SigningKey, clinic: bytes, epoch: int) -> EnrolRequest:
    """The request of a node that was given a code."""
    secret, _ = read_code(code)
    signature = key.sign(_statement(secret, key.public, clinic, epoch))
    return EnrolRequest(1, secret, key.public, clinic, epoch, signature)


def check_request(request: EnrolRequest) -> None:
    """Raise SignatureError unless the asking node holds the key that it names."""
    statement = _statement(request.secret, request.public_key, request.clinic, request.epoch)
    verify(request.public_key, request.signature, statement)


def issue(certificate: Certificate, cloud: SigningKey) -> SignedCertificate:
    """The certificate, signed by the cloud."""
    body = msgspec.msgpack.encode(certificate)
    return SignedCertificate(body, cloud.sign(b"nadi/certificate/1" + body), cloud.public)


def read_certificate(signed: SignedCertificate, cloud_key: bytes) -> Certificate:
    """The certificate, if this cloud has signed it; raises SignatureError."""
    verify(cloud_key, signed.signature, b"nadi/certificate/1" + signed.body)
    return msgspec.msgpack.decode(signed.body, type=Certificate)


def accept(signed: SignedCertificate, code: str, key: SigningKey) -> Certificate:
    """The certificate that answers our request; raises EnrolmentError where another cloud answered."""
    _, hint = read_code(code)
    if fingerprint(signed.cloud_key)[:HINT_BYTES] != hint:
        raise EnrolmentError("The cloud that answered is not the one that made this code.", "Check its address.")
    try:
        certificate = read_certificate(signed, signed.cloud_key)
    except SignatureError as error:
        raise EnrolmentError("The cloud's answer is not signed by its key.", "Check its address.") from error
    if certificate.public_key != key.public:
        raise EnrolmentError("The cloud answered for another node.")
    return certificate
