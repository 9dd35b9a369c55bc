"""Everything under one roof: the parts run together, and one that breaks does not take the others with it."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devices.ble.memory import InProcessMemory, KnownInstrument
from devices.ble.reader import RadioSettings
from devices.ble.session import Patience
from devices.drivers.catalogue import decode
from devices.gateway import Gateway, GatewaySettings
from devices.mqtt.endpoint import EndpointSettings, GatewayAccount
from devices.mqtt.packets import V5, Connack, Connect, PacketStream, Puback, Publish, encode
from devices.readings import RawEvent, Reading
from devices.simulate.clinic import LABELS, practice_clinic

SECONDS = 15
PASSWORD = "right"
TOPIC = "clinic/n1/raw/hall/a1b2c3d4e5f6"
CUFF = b'{"v":1,"mid":"1","rx":"","uuid":"2a35","hex":"167c0056006100e807060f11111b33000000"}'
QUICK = RadioSettings(
    scan_seconds=2,
    gather_seconds=0.02,
    rest_seconds=0.05,
    retry_seconds=0.05,
    patience=Patience(next_message=0.2),
)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what health reports: it is a value to look at and tells nobody of its changes."""
    for _ in range(100 * SECONDS):
        if condition():
            return
        await asyncio.sleep(0.01)
    assert condition()


class Store:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[RawEvent] = []

    async def __call__(self, event: RawEvent) -> None:
        """Store an event."""
        self.events.append(event)

    def kinds(self) -> set[str]:
        """The kinds of readings stored."""
        found = [item for event in self.events for item in decode(event)]
        return {item.kind for item in found if isinstance(item, Reading)}


async def only_the_hall(name: str, password: str) -> GatewayAccount | None:
    return GatewayAccount(name="hall", topics=(f"{TOPIC}",)) if (name, password) == ("hall", PASSWORD) else None


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncGenerator[Gateway]:
    task = asyncio.create_task(gateway.run())
    yield gateway
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def publish(port: int, tls: ssl.SSLContext | None = None) -> object:
    """Publish the cuff's reading and return what the endpoint answers to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    stream = PacketStream(level=V5)
    hello = Connect(level=V5, client_id="hall", username="hall", password=PASSWORD.encode())
    writer.write(encode(hello, V5) + encode(Publish(topic=TOPIC, payload=CUFF, packet_id=1), V5))
    answers: list[object] = []
    async with asyncio.timeout(SECONDS):
        while not any(isinstance(answer, Puback) for answer in answers):
            answers += stream.feed(await reader.read(4096))
    writer.close()
    await writer.wait_closed()
    assert isinstance(answers[0], Connack)
    return answers[-1]


async def test_a_scale_in_the_room_and_a_cuff_behind_a_gateway_reach_one_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = {"weight": LABELS["weight"]}
    async with practice_clinic(lambda: datetime.now().astimezone(), labels) as clinic:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", clinic.bus_address)
        store = Store()
        gateway = Gateway(
            GatewaySettings(radio=QUICK, endpoint=EndpointSettings(port=0)),
            sink=store,
            memory=InProcessMemory(KnownInstrument(device=LABELS["weight"].device)),
            authenticate=only_the_hall,
        )
        async with running(gateway):
            await eventually(lambda: gateway.health().endpoint_port is not None)
            assert await publish(gateway.health().endpoint_port or 0) == Puback(packet_id=1)
            await clinic.perform({"take": "weight", "kg": "61.4"})
            await eventually(lambda: store.kinds() >= {"blood_pressure", "body_weight"})
            report = gateway.health()
            assert (report.gateways[0].stored, report.broker, report.faults) == (1, None, ())


async def test_a_port_that_is_taken_is_shown_and_bluetooth_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/at/all")
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    gateway = Gateway(
        GatewaySettings(radio=QUICK, endpoint=EndpointSettings(port=port), retry_seconds=0.05),
        sink=Store(),
        memory=InProcessMemory(),
    )
    async with running(gateway):
        await eventually(lambda: bool(gateway.health().faults))
        assert gateway.health().faults[0].part == "endpoint"
        radio = gateway.health().radio
        assert radio
        assert radio.state in ("starting", "no_radio")
        taken.close()
        await taken.wait_closed()
        await eventually(lambda: gateway.health().endpoint_port == port)


def a_certificate(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts for an endpoint and for a gateway that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = directory / "node.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


async def test_the_endpoint_speaks_tls(tmp_path: Path) -> None:
    server, client = a_certificate(tmp_path)
    store = Store()
    gateway = Gateway(
        GatewaySettings(endpoint=EndpointSettings(port=0)),
        sink=store,
        memory=InProcessMemory(),
        authenticate=only_the_hall,
        endpoint_tls=server,
    )
    async with running(gateway):
        await eventually(lambda: gateway.health().endpoint_port is not None)
        assert await publish(gateway.health().endpoint_port or 0, client) == Puback(packet_id=1)
    assert store.kinds() == {"blood_pressure"}
