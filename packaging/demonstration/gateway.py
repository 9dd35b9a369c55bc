"""A Bluetooth-to-MQTT gateway in a ward, as the clinic sees one: it forwards what a cuff sent, byte for byte."""

import asyncio
import json
import secrets
import struct
from datetime import UTC, datetime

from paho.mqtt import publish
from paho.mqtt.client import MQTTv5

CLINIC = "rampur"


def cuff_frame(systolic: int, diastolic: int, pulse: int, taken_at: datetime) -> bytes:
    """A Blood Pressure Measurement (2A35): mmHg, with time stamp, pulse rate and status, as IEEE 11073 SFLOATs."""
    numbers = struct.pack("<HHH", systolic, diastolic, (systolic + 2 * diastolic) // 3)
    stamp = struct.pack("<HBBBBB", *taken_at.timetuple()[:6])
    return b"\x16" + numbers + stamp + struct.pack("<HH", pulse, 0)


async def forward(port: int, user: str, password: str, device: str, frame: bytes) -> str:
    """Publish a frame on the raw topic with QoS 1; returns the topic once the broker has acknowledged it."""
    topic = f"clinic/{CLINIC}/raw/{user}/{device}"
    message = {
        "v": 1,
        "mid": secrets.token_hex(8),
        "rx": datetime.now(UTC).isoformat(),
        "uuid": "2a35",
        "hex": frame.hex(),
    }
    await asyncio.to_thread(
        publish.single,
        topic,
        json.dumps(message),
        qos=1,
        hostname="127.0.0.1",
        port=port,
        client_id=f"gateway-{secrets.token_hex(3)}",
        auth={"username": user, "password": password},
        protocol=MQTTv5,
    )
    return topic
