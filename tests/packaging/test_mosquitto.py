"""The broker as it ships: strangers are refused, gateways keep to their own, readings last."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

SHIPPED = Path(__file__).resolve().parents[2] / "packaging" / "mosquitto"
SBIN = os.defpath + ":/usr/sbin:/usr/local/sbin:/sbin"
PATIENCE = 10
PASSWORDS = {"nadi": "box", "gw-1": "one", "gw-2": "two"}
READING = "clinic/rampur/raw/gw-1/a4c138000001"


class Broker:
    """A broker on a free loopback port with the shipped configuration, its folders moved below `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = _free_port()
        self._write_configuration()
        self.start()

    def start(self) -> None:
        program = shutil.which("mosquitto", path=SBIN)
        assert program, "mosquitto is missing; `make setup` installs it"
        command = [program, "-c", str(self.home / "nadi.conf")]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        assert any("running" in line for line in self.process.stderr)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.communicate(timeout=PATIENCE)

    def _write_configuration(self) -> None:
        (self.home / "listeners.d").mkdir()
        listener = f"listener {self.port} 127.0.0.1\nuser {getpass.getuser()}\n"
        (self.home / "listeners.d" / "test.conf").write_text(listener)
        shipped = (SHIPPED / "nadi.conf").read_text()
        moved = shipped.replace("/etc/nadi/mosquitto", str(self.home)).replace(
            "/var/lib/nadi/mosquitto", str(self.home)
        )
        (self.home / "nadi.conf").write_text(moved)
        shutil.copy(SHIPPED / "acl", self.home / "acl")
        (self.home / "passwords").touch(mode=0o600)
        for name, password in PASSWORDS.items():
            _add_password(self.home / "passwords", name, password)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _add_password(file: Path, name: str, password: str) -> None:
    tool = shutil.which("mosquitto_passwd", path=SBIN)
    assert tool
    subprocess.run([tool, "-b", str(file), name, password], check=True, capture_output=True)


class Speaker:
    """One signed-in client; what the broker tells it waits in `answers` and `readings`."""

    def __init__(self, broker: Broker, name: str, password: str = "", *, keep: bool = False) -> None:
        self.answers: Queue[ReasonCode] = Queue()
        self.readings: Queue[bytes] = Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.username_pw_set(name or None, password)
        self.client.on_connect = self._answered
        self.client.on_publish = self._acknowledged
        self.client.on_message = self._heard
        self.client.connect("127.0.0.1", broker.port, clean_start=not keep, properties=_kept(keep=keep))
        self.client.loop_start()

    def told(self) -> int:
        return int(self.answers.get(timeout=PATIENCE).value)

    def listen(self, topic: str) -> None:
        done: Queue[None] = Queue()

        def subscribed(*_answer: Any) -> None:
            done.put(None)

        self.client.on_subscribe = subscribed
        self.client.subscribe(topic, qos=1)
        done.get(timeout=PATIENCE)

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _answered(self, _client: Client, _own: Any, _flags: Any, code: ReasonCode, _more: Any) -> None:
        self.answers.put(code)

    def _acknowledged(self, _client: Client, _own: Any, _id: int, code: ReasonCode, _more: Any) -> None:
        self.answers.put(code)

    def _heard(self, _client: Client, _own: Any, message: MQTTMessage) -> None:
        self.readings.put(bytes(message.payload))


def _kept(*, keep: bool) -> Properties:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600 if keep else 0
    return properties


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    started = Broker(tmp_path)
    yield started
    started.stop()


Enter = Callable[..., Speaker]


@pytest.fixture
def enter(broker: Broker) -> Iterator[Enter]:
    speakers: list[Speaker] = []

    def come_in(name: str, password: str = "", *, keep: bool = False) -> Speaker:
        speakers.append(Speaker(broker, name, password, keep=keep))
        return speakers[-1]

    yield come_in
    for speaker in speakers:
        speaker.leave()


@pytest.mark.parametrize(("name", "password"), [("", ""), ("gw-1", "wrong"), ("stranger", "one")])
def test_a_stranger_is_refused(enter: Enter, name: str, password: str) -> None:
    assert enter(name, password).told() == 0x87


def test_a_gateways_reading_reaches_the_box(enter: Enter) -> None:
    box, gateway = enter("nadi", "box"), enter("gw-1", "one")
    assert (box.told(), gateway.told()) == (0, 0)
    box.listen("clinic/+/raw/#")
    gateway.client.publish(READING, b"152/96", qos=1)
    assert gateway.told() == 0
    assert box.readings.get(timeout=PATIENCE) == b"152/96"


def test_a_gateway_may_not_write_in_anothers_name(enter: Enter) -> None:
    gateway = enter("gw-2", "two")
    assert gateway.told() == 0
    gateway.client.publish(READING, b"152/96", qos=1)
    assert gateway.told() == 0x87


def test_a_gateway_hears_no_other_gateway(enter: Enter) -> None:
    box, nosy, gateway = enter("nadi", "box"), enter("gw-2", "two"), enter("gw-1", "one")
    assert (box.told(), nosy.told(), gateway.told()) == (0, 0, 0)
    box.listen("clinic/+/raw/#")
    nosy.listen("#")
    gateway.client.publish(READING, b"152/96", qos=1)
    assert box.readings.get(timeout=PATIENCE) == b"152/96"
    assert nosy.readings.empty()


def test_a_reading_is_on_disk_before_the_next_one_is_acknowledged(broker: Broker, enter: Enter) -> None:
    box, gateway = enter("nadi", "box", keep=True), enter("gw-1", "one")
    assert (box.told(), gateway.told()) == (0, 0)
    box.listen("clinic/+/raw/#")
    box.leave()
    for reading in (b"152/96", b"148/92"):
        gateway.client.publish(READING, reading, qos=1)
        assert gateway.told() == 0
    broker.stop(signal.SIGKILL)
    gateway.leave()
    broker.start()
    assert enter("nadi", "box", keep=True).readings.get(timeout=PATIENCE) == b"152/96"
