"""Every setting of a node, read once at start. The only place that looks at the environment.

A setting is looked for in the environment as ``NADI_<NAME>``, then in ``nadi.toml`` in the data folder, then has its default.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from node.errors import SettingsError

PREFIX = "NADI_"
FILE = "nadi.toml"
Port = Annotated[int, Meta(ge=0, le=65535)]


def _setting(description: str, **limits: Any) -> Any:
    return Meta(description=description, **limits)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a node is told at start."""

    data: Annotated[Path, _setting("Folder of the clinic: encrypted store and wrapped keys.")] = Path("nadi-data")
    passphrase: Annotated[str, _setting("Passphrase that unwraps the keys. Better: passphrase_file.")] = ""
    passphrase_file: Annotated[Path | None, _setting("File with the passphrase, such as a systemd credential.")] = None
    host: Annotated[str, _setting("Address that tablets on the LAN connect to.")] = "127.0.0.1"
    port: Annotated[Port, _setting("Port of the pages and the API.")] = 8080
    secure_cookies: Annotated[bool, _setting("Send cookies over HTTPS only; on wherever a tablet connects.")] = False
    idle_minutes: Annotated[int, _setting("Minutes without a request after which a person is signed out.", ge=1)] = 15
    sync_seconds: Annotated[int, _setting("Seconds between exchanges with the cloud.", ge=1)] = 60
    offline: Annotated[bool, _setting("Never contact the cloud; the clinic works on.")] = False
    arm_seconds: Annotated[int, _setting("Seconds an instrument stays armed for a patient.", ge=5, le=600)] = 60
    bluetooth: Annotated[bool, _setting("Read Bluetooth LE instruments.")] = False
    mqtt_broker: Annotated[str, _setting("Broker to read gateways from, mqtt(s)://user:password@host:port.")] = ""
    mqtt_port: Annotated[Port, _setting("Port of the node's own MQTT ingest endpoint; 0 turns it off.")] = 0
    mqtt_gateways: Annotated[str, _setting("Gateways of the ingest endpoint, name:password separated by commas.")] = ""
    passkeys: Annotated[str, _setting("Bluetooth passkeys, device:digits separated by commas.")] = ""
    log_level: Annotated[str, _setting("Least level to log.", pattern="^(debug|info|warning|error)$")] = "info"

    def read_passphrase(self) -> str:
        """The passphrase, from the file where there is one; raises SettingsError where there is neither."""
        if self.passphrase_file is not None:
            try:
                return self.passphrase_file.read_text().strip()
            except OSError:
                raise SettingsError([f"passphrase_file: {self.passphrase_file} cannot be read."]) from None
        if not self.passphrase:
            raise SettingsError(["passphrase: none was given (NADI_PASSPHRASE_FILE or NADI_PASSPHRASE)."])
        return self.passphrase


def load(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings; ``given`` (the command line) comes first. Raises SettingsError that names every problem at once."""
    environment = os.environ if environment is None else environment  # noqa: TID251 - this is the place
    names = {field.name for field in msgspec.structs.fields(Settings)}
    from_environment = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    folder = Path(str(chosen.get("data") or from_environment.get("data") or Settings().data))
    values = {**_file(folder / FILE), **{n: v for n, v in from_environment.items() if n in names}, **chosen}
    return _checked(values, names)


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError([f"{path}: cannot be read as TOML."]) from error


def _checked(values: Mapping[str, Any], names: set[str]) -> Settings:
    problems = [f"{name}: there is no such setting." for name in sorted(set(values) - names)]
    good: dict[str, Any] = {}
    for name in sorted(names & set(values)):
        try:
            msgspec.convert({name: _plain(values[name])}, Settings, strict=False, dec_hook=_path)
            good[name] = _plain(values[name])
        except msgspec.ValidationError as error:
            problems.append(f"{name}: {str(error).partition(' - at')[0]}.")
    if problems:
        raise SettingsError(problems)
    return msgspec.convert(good, Settings, strict=False, dec_hook=_path)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)
