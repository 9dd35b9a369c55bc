"""A gateway over real MQTT: what was acknowledged is on the disk and reaches the patient or the tray."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from node.errors import SettingsError
from node.instruments.gateways import account_of, gateway_settings, read_broker, read_gateways
from node.settings import Settings
from tests.factories import a_clinic
from tests.node.instruments.conftest import CUFF, a_cuff_frame, a_ward
from tests.node.served import served
from tests.servers import free_port

GATEWAY_PASSWORD = "open sesame"


class Gateway:
    """A real MQTT client in its own thread."""

    def __init__(self, port: int, password: str = GATEWAY_PASSWORD) -> None:
        self.loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[str] = self.loop.create_future()
        self.acknowledged: asyncio.Queue[str] = asyncio.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, "hall-1", protocol=MQTTProtocolVersion.MQTTv5)
        self.client.username_pw_set("hall", password)
        self.client.on_connect = self._on_connect
        self.client.on_publish = self._on_publish
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()

    def _on_connect(self, _c: Client, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self.loop.call_soon_threadsafe(self._connected, str(reason))

    def _on_publish(self, _c: Client, _u: Any, _m: int, reason: Any, _p: Any) -> None:
        self.loop.call_soon_threadsafe(self.acknowledged.put_nowait, str(reason))

    def _connected(self, reason: str) -> None:
        if not self.connected.done():
            self.connected.set_result(reason)

    async def publish(self, topic: str, message: dict[str, Any]) -> str:
        """What the endpoint answers."""
        self.client.publish(topic, json.dumps(message), qos=1)
        return await asyncio.wait_for(self.acknowledged.get(), 10)

    async def close(self) -> None:
        """Leave, and end the thread."""
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)


async def test_a_reading_over_mqtt_is_stored_when_acknowledged_and_goes_to_the_armed_patient(tmp_path: Path) -> None:
    port = free_port()
    with a_clinic(tmp_path, mqtt_port=port, mqtt_gateways="hall:open sesame") as clinic:
        async with a_ward(clinic) as ward:
            ward.cuff_id = await ward.an_instrument()
            patient = await ward.a_patient()
            await ward.arm(patient)
            await asyncio.wait_for(clinic.services["gateway"].endpoint.ready.wait(), 10)
            gateway = Gateway(port)
            assert await asyncio.wait_for(gateway.connected, 10) == "Success"
            message = {"v": 1, "mid": "1", "uuid": "2a35", "hex": a_cuff_frame().hex()}
            assert await gateway.publish(f"clinic/n1/raw/hall/{CUFF}", message) == "Success"
            assert await ward.rows("SELECT count(*) FROM raw_event") == [(1,)]
            await ward.until_decoded()
            await ward.until_settled()
            assert len(await ward.vitals(patient)) == 1
            assert await gateway.publish("clinic/n1/raw/other/a1b2c3d4e5f6", message) == "Not authorized"
            health = (await ward.serving.tablet().get("/health")).json()
            assert health["works"]
            assert health["parts"]["instruments"]["gateways"] == {"hall": True}
            await gateway.close()


async def test_a_gateway_with_a_wrong_password_is_refused(tmp_path: Path) -> None:
    port = free_port()
    with a_clinic(tmp_path, mqtt_port=port, mqtt_gateways="hall:open sesame") as clinic:
        async with served(clinic):
            await asyncio.wait_for(clinic.services["gateway"].endpoint.ready.wait(), 10)
            gateway = Gateway(port, "guessed")
            assert await asyncio.wait_for(gateway.connected, 10) == "Bad user name or password"
            await gateway.close()


async def test_no_bluetooth_adapter_is_said_and_is_no_fault(tmp_path: Path) -> None:
    with a_clinic(tmp_path, bluetooth=True) as clinic:
        async with served(clinic) as serving:
            health = (await serving.tablet().get("/health")).json()
    assert health["works"]
    assert health["parts"]["instruments"]["bluetooth"] in ("starting", "no_radio")


def test_a_gateway_may_publish_under_its_own_name_only() -> None:
    account = account_of(read_gateways("hall:a, lab:b:c,broken"), "lab", "b:c")
    assert account is not None
    assert all("/lab/" in topic for topic in account.topics)
    assert account_of({"hall": "a"}, "hall", "b") is None


def test_a_brokers_address_is_read() -> None:
    broker = read_broker("mqtts://nadi:a%40b@broker.local")
    assert (broker.host, broker.port, broker.username, broker.password) == ("broker.local", 8883, "nadi", "a@b")


@pytest.mark.parametrize("address", ["broker.local", "http://broker.local", "mqtt://broker.local:many"])
def test_what_is_no_address_of_a_broker_is_said_at_start(address: str) -> None:
    with pytest.raises(SettingsError, match="mqtt_broker"):
        gateway_settings(Settings(mqtt_broker=address))
