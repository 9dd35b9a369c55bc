"""A Bluetooth-to-MQTT gateway in a ward, as the clinic sees one: it forwards what a cuff sent, byte for byte."""

import asyncio
import json
import secrets
import struct
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

CLINIC = "rampur"
INDIA = ZoneInfo("Asia/Kolkata")


def cuff_frame(systolic: int, diastolic: int, pulse: int, taken_at: datetime) -> bytes:
    """A Blood Pressure Measurement (2A35): mmHg, local time stamp, pulse rate and status, as IEEE 11073 SFLOATs."""
    numbers = struct.pack("<HHH", systolic, diastolic, (systolic + 2 * diastolic) // 3)
    stamp = struct.pack("<HBBBBB", *taken_at.astimezone(INDIA).timetuple()[:6])
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
    await asyncio.to_thread(_publish, port, user, password, topic, json.dumps(message))
    return topic


def _publish(port: int, user: str, password: str, topic: str, payload: str) -> None:
    client = Client(CallbackAPIVersion.VERSION2, f"gateway-{secrets.token_hex(3)}", protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(user, password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        client.publish(topic, payload, qos=1).wait_for_publish(20)
    finally:
        client.disconnect()
        client.loop_stop()
