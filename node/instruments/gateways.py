"""From the settings of a node to what ``devices.gateway`` runs: which parts, and which gateways may publish what.

It knows no reading.
"""

import hmac
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import unquote, urlsplit

from devices.ble.reader import RadioSettings
from devices.gateway import GatewaySettings
from devices.mqtt.client import BrokerSettings
from devices.mqtt.endpoint import EndpointSettings, GatewayAccount
from devices.readings import Clock
from node.errors import SettingsError
from node.http.pages import INDIA
from node.settings import Settings
from sync.clock import WallClock

PORTS = {"mqtt": 1883, "mqtts": 8883}
BROKER_TOPICS = (
    "clinic/+/raw/+/+",
    "home/+/BTtoMQTT/#",
    "home/+/LWT",
    "tele/+/SENSOR",
    "tele/+/LWT",
)


def gateway_settings(settings: Settings) -> GatewaySettings:
    """Which parts run."""
    endpoint = EndpointSettings(host=settings.host, port=settings.mqtt_port) if settings.mqtt_port else None
    return GatewaySettings(
        radio=RadioSettings() if settings.bluetooth else None,
        endpoint=endpoint,
        broker=read_broker(settings.mqtt_broker) if settings.mqtt_broker else None,
    )


def read_broker(address: str) -> BrokerSettings:
    """A broker by its address, ``mqtt(s)://user:password@host:port``; raises SettingsError for what is none."""
    parts = urlsplit(address)
    try:
        port = parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise SettingsError(["mqtt_broker: must be mqtt(s)://user:password@host:port."]) from None
    return BrokerSettings(
        host=parts.hostname or "127.0.0.1",
        port=port,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        topics=BROKER_TOPICS,
    )


def is_encrypted(address: str) -> bool:
    """Whether a broker is to be spoken to over TLS."""
    return urlsplit(address).scheme == "mqtts"


def read_gateways(setting: str) -> dict[str, str]:
    """Passwords by gateway, of ``name:password`` separated by commas; an entry without a password is left out."""
    entries = (entry.strip().partition(":") for entry in setting.split(","))
    return {name: password for name, _, password in entries if name and password}


def account_of(gateways: dict[str, str], name: str, password: str) -> GatewayAccount | None:
    """The gateway whose name and password these are, or None. A gateway speaks under topics with its own name."""
    known = gateways.get(name)
    if known is None or not hmac.compare_digest(known.encode(), password.encode()):
        return None
    return GatewayAccount(name=name, topics=(f"clinic/+/raw/{name}/+", f"home/{name}/#", f"tele/{name}/#"))


def authenticate(gateways: dict[str, str]) -> Callable[[str, str], Awaitable[GatewayAccount | None]]:
    """Who a gateway is, for the endpoint."""

    async def check(name: str, password: str) -> GatewayAccount | None:
        return account_of(gateways, name, password)

    return check


def clock_of(wall: WallClock) -> Clock:
    """The node's clock as instruments are told it: local time with its zone."""
    return Clock(now=lambda: datetime.fromtimestamp(wall() / 1000, INDIA), monotonic_ns=time.monotonic_ns)
