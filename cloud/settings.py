"""The settings of the cloud: NADI_CLOUD_* of the environment over an optional TOML file. The only reader of either."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cloud.errors import SettingsError

PREFIX = "NADI_CLOUD_"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting; the environment names it NADI_CLOUD_ and the name in capitals."""

    data: Annotated[Path, Meta(description="Folder of the keys and, where no other is named, the database.")] = Path(
        "nadi-cloud-data"
    )
    database_url: Annotated[
        str, Meta(description="PostgreSQL to use, as a URL; empty for one of our own in the data folder.")
    ] = ""
    passphrase: Annotated[str, Meta(description="What opens the keys. Better: passphrase_file.")] = ""
    passphrase_file: Annotated[
        Path | None, Meta(description="File with the passphrase, such as a systemd credential.")
    ] = None
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on.")] = 8090
    tls_certificate: Annotated[
        Path | None, Meta(description="Certificate chain (PEM); none behind a proxy that has one.")
    ] = None
    tls_key: Annotated[Path | None, Meta(description="Private key of the certificate (PEM).")] = None
    pool: Annotated[int, Meta(ge=1, le=200, description="Connections to the database at most.")] = 10
    next_after: Annotated[int, Meta(ge=1, le=86400, description="Seconds until a box need ask again.")] = 60
    certificate_days: Annotated[int, Meta(ge=1, le=3650, description="Days that a box's certificate is valid.")] = 730
    code_hours: Annotated[int, Meta(ge=1, le=720, description="Hours that an enrolment code is valid.")] = 72
    session_minutes: Annotated[
        int, Meta(ge=1, le=1440, description="Minutes of idleness until an admin is signed out.")
    ] = 30
    secure_cookies: Annotated[bool, Meta(description="Whether cookies are sent over HTTPS only.")] = False
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$", description="Least level to log.")] = "info"

    def read_passphrase(self) -> str:
        """The passphrase, from the file where there is one; raises SettingsError where there is neither."""
        if self.passphrase_file is not None:
            try:
                return self.passphrase_file.read_text(encoding="utf-8").strip()
            except OSError:
                raise SettingsError([f"{PREFIX}PASSPHRASE_FILE: {self.passphrase_file} cannot be read."]) from None
        if not self.passphrase:
            raise SettingsError([f"No passphrase was given ({PREFIX}PASSPHRASE_FILE or {PREFIX}PASSPHRASE)."])
        return self.passphrase


def load(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings of the environment, over those of the file NADI_CLOUD_SETTINGS, under those given; names every problem."""
    source: Mapping[str, str] = os.environ if environment is None else environment  # noqa: TID251 - the one reader
    named = {name.removeprefix(PREFIX).lower(): value for name, value in source.items() if name.startswith(PREFIX)}
    told = {name: value for name, value in given.items() if value is not None}
    file = named.pop("settings", "")
    values: dict[str, Any] = _of_file(Path(file)) if file else {}
    return _checked(values | named | told)


def _of_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{PREFIX}SETTINGS names {path}, which cannot be read."]) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path} is not TOML: {error}."]) from error


def _checked(values: dict[str, Any]) -> Settings:
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    problems = [f"{PREFIX}{name.upper()} is no setting." for name in values if name not in fields]
    for name, value in values.items():
        if name in fields:
            try:
                _converted(value, fields[name].type)
            except msgspec.ValidationError as error:
                problems.append(f"{PREFIX}{name.upper()}: {str(error).partition(' - at')[0]}.")
    if bool(values.get("tls_certificate")) != bool(values.get("tls_key")):
        problems.append(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY belong together.")
    if problems:
        raise SettingsError(problems)
    return _converted(values, Settings)


def _converted(value: Any, kind: Any) -> Any:
    return msgspec.convert(value, kind, strict=False, dec_hook=_path)


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)
