"""A cloud, a broker, two clinics and their instruments on this machine, started as their users start them.

Knows how to start and stop them and how to reach them; what is done with them is the story's, or a person's.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
from demonstration.wires import Wire

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "practice makes perfect"  # noqa: S105 - of the practice accounts, printed for whoever tries them
PASSPHRASE = "a practice passphrase"  # noqa: S105 - of a practice clinic that ends with the demonstration
GATEWAY, GATEWAY_PASSWORD = "ward", "practice-gateway"
STARTS_WITHIN = 60.0
STAFF = (
    ("sunita", "NURSE", "Sunita Devi"),
    ("arvind", "DOCTOR", "Dr Arvind Kumar"),
    ("lata", "FRONT_DESK", "Lata Kumari"),
)
OTHER_STAFF = (("meena", "NURSE", "Meena Kumari"), ("imran", "DOCTOR", "Dr Imran Ansari"))


class DemoError(Exception):
    """A part of the demonstration did not start, or a step did not hold."""


class Place(msgspec.Struct):
    """A running server: its name, its data, where browsers reach it, and the port of its process."""

    name: str
    folder: Path
    address: str
    wire: Any = None


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class World:
    """The whole demonstration; ``async with`` starts it and leaves no process and no file behind."""

    def __init__(
        self, folder: Path, say: Callable[[str], None], *, database_url: str = "", sync_seconds: int = 2
    ) -> None:
        self.folder, self.say, self.database_url = folder, say, database_url
        self.sync_seconds = sync_seconds
        self.cloud = Place("cloud", folder / "cloud", "")
        self.rampur = Place("Rampur PHC", folder / "rampur", "")
        self.sonpur = Place("Sonpur CHC", folder / "sonpur", "")
        self.instruments: dict[str, dict[str, Any]] = {}
        self.broker_port = 0
        self.broker_is_mosquitto = False
        self._processes: list[tuple[str, asyncio.subprocess.Process]] = []
        self._simulator: asyncio.subprocess.Process | None = None
        self._bus = ""

    async def __aenter__(self) -> Self:
        try:
            await self._start_all()
        except BaseException:
            await self._stop_all()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_all()

    async def _start_all(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._start_cloud()
        await self._start_instruments()
        await self._start_broker()
        await self._start_clinic(self.rampur, STAFF, instruments=True)
        await self._start_clinic(self.sonpur, OTHER_STAFF, instruments=False)

    # -- parts

    async def _start_cloud(self) -> None:
        port = free_port()
        settings = {"NADI_CLOUD_DATA": self.cloud.folder, "NADI_CLOUD_PASSPHRASE": PASSPHRASE}
        if self.database_url:
            settings["NADI_CLOUD_DATABASE_URL"] = self.database_url
        self._cloud_settings = settings
        await self._run("cloud", "init", "--admin-password", PASSWORD, settings=settings)
        self.cloud.address = f"http://127.0.0.1:{port}"
        await self._serve("cloud", self.cloud, port, settings)
        where = "the PostgreSQL you named" if self.database_url else "its own PostgreSQL"
        self.say(f"The cloud runs on {where}: {self.cloud.address}")

    async def _start_instruments(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "devices.simulate",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment({"TZ": "Asia/Kolkata"}),
            cwd=ROOT,
            start_new_session=True,
        )
        self._simulator = process
        self._processes.append(("instruments", process))
        line = await asyncio.wait_for(_line(process), STARTS_WITHIN)
        if not line:
            self.say("No virtual Bluetooth here (dbus-daemon is missing); readings come over MQTT alone.")
            return
        ready = json.loads(line)
        self._bus = ready["DBUS_SYSTEM_BUS_ADDRESS"]
        self.instruments = {label["kind"]: label for label in ready["instruments"]}
        self.say("Virtual Bluetooth instruments: " + ", ".join(sorted(self.instruments)))

    async def _start_broker(self) -> None:
        self.broker_port = free_port()
        mosquitto = shutil.which("mosquitto", path=f"{os.get_exec_path()}:/usr/sbin") or shutil.which(
            "mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin"
        )
        if mosquitto is None:
            self.say("No Mosquitto here: gateways speak to the clinic's own MQTT endpoint.")
            return
        folder = self.folder / "broker"
        folder.mkdir()
        await self._write_broker_files(folder)
        process = await asyncio.create_subprocess_exec(
            mosquitto,
            "-c",
            str(folder / "mosquitto.conf"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.append(("broker", process))
        self.broker_is_mosquitto = True
        self.say(f"Mosquitto listens on 127.0.0.1:{self.broker_port}")

    async def _write_broker_files(self, folder: Path) -> None:
        passwords = folder / "passwords"
        for number, (user, password) in enumerate(
            (("nadi", PASSPHRASE.replace(" ", "-")), (GATEWAY, GATEWAY_PASSWORD))
        ):
            create = ["-c"] if number == 0 else []
            tool = shutil.which("mosquitto_passwd") or "mosquitto_passwd"
            made = await asyncio.create_subprocess_exec(tool, "-b", *create, str(passwords), user, password)
            if await made.wait() != 0:
                raise DemoError("mosquitto_passwd did not work")
        packaged = (ROOT / "packaging" / "mosquitto" / "nadi.conf").read_text()
        here = packaged.replace("/etc/nadi/mosquitto/acl", str(ROOT / "packaging" / "mosquitto" / "acl"))
        here = here.replace("/etc/nadi/mosquitto/passwords", str(passwords)).replace(
            "/var/lib/nadi/mosquitto/", f"{folder}/"
        )
        lines = [line for line in here.splitlines() if not line.startswith("include_dir")]
        user = "user root" if os.geteuid() == 0 else ""
        listener = f"listener {self.broker_port} 127.0.0.1"
        (folder / "mosquitto.conf").write_text("\n".join([*lines, user, listener, ""]))

    async def _start_clinic(self, place: Place, staff: tuple[tuple[str, str, str], ...], *, instruments: bool) -> None:
        settings = self._clinic_settings(place, instruments=instruments)
        named = ("--name", place.name, "--admin-password", PASSWORD)
        await self._run("node", "init", *named, settings=settings)
        code = (await self._run("cloud", "clinic", "add", place.name, settings=self._cloud_settings)).split()
        code_text = next(word for word in code if word.count("-") == 3 and len(word) == 23)  # noqa: PLR2004 - the code's form
        place.wire = Wire(free_port(), int(self.cloud.address.rpartition(":")[2]))
        await place.wire.start()
        far = f"http://127.0.0.1:{place.wire.port}"
        await self._run("node", "enrol", "--cloud", far, "--code", code_text, settings=settings)
        port = free_port()
        place.address = f"http://127.0.0.1:{port}"
        await self._serve("node", place, port, settings)
        async with sign_in(place.address, "admin") as admin:
            for username, role, name in staff:
                body = {"username": username, "role": role, "name": name, "password": PASSWORD}
                expect(await admin.post("/api/v1/staff", json=body), 201)
            if instruments:
                await self._register_instruments(admin)
        self.say(f"The clinic {place.name} serves tablets: {place.address}")

    def _clinic_settings(self, place: Place, *, instruments: bool) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "NADI_DATA": place.folder,
            "NADI_PASSPHRASE": PASSPHRASE,
            "NADI_SYNC_SECONDS": self.sync_seconds,
            "NADI_LOG_LEVEL": "warning",
        }
        if instruments and self._bus:
            keys = [
                f"{i['address'].replace(':', '').lower()}:{i['passkey']}"
                for i in self.instruments.values()
                if i["passkey"]
            ]
            settings |= {"NADI_BLUETOOTH": 1, "DBUS_SYSTEM_BUS_ADDRESS": self._bus, "NADI_PASSKEYS": ",".join(keys)}
        if instruments and self.broker_is_mosquitto:
            password = PASSPHRASE.replace(" ", "-")
            settings["NADI_MQTT_BROKER"] = f"mqtt://nadi:{password}@127.0.0.1:{self.broker_port}"
        elif instruments:
            settings |= {"NADI_MQTT_PORT": self.broker_port, "NADI_MQTT_GATEWAYS": f"{GATEWAY}:{GATEWAY_PASSWORD}"}
        return settings

    async def _register_instruments(self, admin: httpx.AsyncClient) -> None:
        kinds = {"glucose": "Glucose meter", "weight": "Scale"}
        known = {"glucose": "glucose", "weight": "body_weight"}
        bodies = [
            {"label": kinds[kind], "kind": known[kind], "device": _device(label["address"]), "model": label["name"]}
            for kind, label in self.instruments.items()
            if kind in kinds
        ]
        bodies.append({"label": "Cuff, room 1", "kind": "blood_pressure", "device": CUFF, "model": "A&D UA-651BLE"})
        for body in bodies:
            expect(await admin.post("/api/v1/instruments", json=body), 201)

    # -- what a person can do to it

    async def take(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Take a measurement with a virtual Bluetooth instrument; it sends it when the node comes to fetch it."""
        process = self._simulator
        if process is None or process.stdin is None or not self._bus:
            raise DemoError("There are no virtual Bluetooth instruments here.")
        process.stdin.write(json.dumps(command).encode() + b"\n")
        await process.stdin.drain()
        answer: dict[str, Any] = json.loads(await asyncio.wait_for(_line(process), 20))
        return answer

    # -- processes

    async def _run(self, module: str, *arguments: str, settings: Mapping[str, Any]) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            env=_environment(settings),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise DemoError(f"'{module} {arguments[0]}' failed: {errors.decode().strip()[-600:]}")
        return output.decode()

    async def _serve(self, module: str, place: Place, port: int, settings: Mapping[str, Any]) -> None:
        log = (self.folder / f"{place.folder.name}.log").open("w")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            "serve",
            "--port",
            str(port),
            env=_environment(settings),
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        self._processes.append((place.name, process))
        await _answers(place.address, process, self.folder / f"{place.folder.name}.log")

    async def _stop_all(self) -> None:
        for place in (self.rampur, self.sonpur):
            if place.wire is not None:
                await place.wire.close()
        running = [(name, process) for name, process in reversed(self._processes) if process.returncode is None]
        clinics = [one for one in running if one[0] in (self.rampur.name, self.sonpur.name)]
        await self._end(clinics)
        await self._end([one for one in running if one not in clinics])
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _end(self, running: list[tuple[str, asyncio.subprocess.Process]]) -> None:
        """End these processes, all at once, and wait for them."""
        for _, process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for name, process in running:
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                self.say(f"{name} did not end by itself within 20 seconds and was ended.")
                process.kill()
                await process.wait()


CUFF = "c8b21e00a1b2"
"""The stable id of the cuff that is read by an MQTT gateway: its Bluetooth address."""


def _device(address: str) -> str:
    return address.replace(":", "").lower()


def _environment(settings: Mapping[str, Any]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NADI_")}
    return {**kept, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in settings.items()}}


async def _line(process: asyncio.subprocess.Process) -> bytes:
    return await process.stdout.readline() if process.stdout is not None else b""


async def _answers(address: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with httpx.AsyncClient(timeout=5) as client:
        for _ in range(int(STARTS_WITHIN / 0.1)):
            if process.returncode is not None:
                raise DemoError(f"A server ended at once: {_end_of(log)}")
            with contextlib.suppress(httpx.HTTPError):
                await client.get(f"{address}/health")
                return
            await asyncio.sleep(0.1)
    raise DemoError(f"{address} does not answer: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text()[-600:]


def expect(response: httpx.Response, status: int) -> Any:
    """What the answer says; raises DemoError for another status."""
    if response.status_code != status:
        raise DemoError(
            f"{response.request.method} {response.request.url.path} answered {response.status_code}: {response.text}"
        )
    return response.json() if response.content else None


@contextlib.asynccontextmanager
async def sign_in(address: str, username: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of a clinic's API, with one of the practice accounts."""
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        body = {"username": username, "password": PASSWORD}
        session = expect(await client.post("/api/v1/sessions", json=body), 201)
        client.headers["authorization"] = f"Bearer {session['token']}"
        yield client
