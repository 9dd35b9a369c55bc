"""Drafts that are being typed: local to this node, one for each person and place, sealed like any sensitive value."""

import msgspec

from node.store.sqlcipher import Connection
from sync.sealing import FieldCipher


class Kept(msgspec.Struct, frozen=True):
    """What somebody typed and did not save yet, and when it was kept (Unix milliseconds)."""

    sections: dict[str, str]
    saved_at: int


def kept(connection: Connection, cipher: FieldCipher, user: str, place: str) -> Kept | None:
    """What somebody has typed at a place and not saved yet, or None."""
    row = connection.execute(
        "SELECT body, saved_at FROM draft WHERE user_id = ? AND place = ?", (user, place)
    ).fetchone()
    return Kept(msgspec.json.decode(cipher.open(row[0], place.encode()), type=dict[str, str]), row[1]) if row else None


def keep(
    connection: Connection, cipher: FieldCipher, user: str, place: str, sections: dict[str, str], now: int
) -> None:
    """Keep what somebody has typed."""
    body = cipher.seal(msgspec.json.encode(sections), place.encode())
    connection.execute(
        "INSERT OR REPLACE INTO draft (user_id, place, body, saved_at) VALUES (?, ?, ?, ?)", (user, place, body, now)
    )


def drop(connection: Connection, user: str, place: str) -> None:
    """It has been saved: nothing is being typed any more."""
    connection.execute("DELETE FROM draft WHERE user_id = ? AND place = ?", (user, place))
