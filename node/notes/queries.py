"""Drafts that are being typed: local to this node, one for each person and place, sealed like any sensitive value."""

import msgspec

from node.store.sqlcipher import Connection
from sync.sealing import FieldCipher


def draft_of(connection: Connection, cipher: FieldCipher, user_id: str, place: str) -> dict[str, str]:
    """What somebody has typed at a place and not saved yet; empty where nothing."""
    row = connection.execute("SELECT body FROM draft WHERE user_id = ? AND place = ?", (user_id, place)).fetchone()
    return msgspec.json.decode(cipher.open(row[0], place.encode()), type=dict[str, str]) if row else {}


def keep_draft(
    connection: Connection, cipher: FieldCipher, user_id: str, place: str, typed: dict[str, str], saved_at: int
) -> None:
    """Keep what somebody has typed."""
    body = cipher.seal(msgspec.json.encode(typed), place.encode())
    connection.execute("INSERT OR REPLACE INTO draft VALUES (?, ?, ?, ?)", (user_id, place, body, saved_at))


def drop_draft(connection: Connection, user_id: str, place: str) -> None:
    """It has been saved: nothing is being typed any more."""
    connection.execute("DELETE FROM draft WHERE user_id = ? AND place = ?", (user_id, place))
