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
        "/var/lib/nadi-cloud"
    )
    database_url: Annotated[
        str, Meta(description="PostgreSQL to use, as a URL; empty for one of our own in the data folder.")
    ] = ""
    passphrase: Annotated[str, Meta(description="What opens the keys. Better: passphrase_file.")] = ""
    passphrase_file: Annotated[str, Meta(description="File whose first line is the passphrase.")] = ""
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on.")] = 8443
    tls_certificate: Annotated[str, Meta(description="Certificate chain (PEM); empty behind a proxy that has one.")] = ""
    tls_key: Annotated[str, Meta(description="Private key of the certificate (PEM).")] = ""
    pool: Annotated[int, Meta(ge=1, le=200, description="Connections to the database at most.")] = 10
    next_after: Annotated[int, Meta(ge=1, le=86400, description="Seconds until a box need ask again.")] = 60
    certificate_days: Annotated[int, Meta(ge=1, le=3650, description="Days that a box's certificate is valid.")] = 730
    code_hours: Annotated[int, Meta(ge=1, le=720, description="Hours that an enrolment code is valid.")] = 72
    session_minutes: Annotated[int, Meta(ge=1, le=1440, description="Minutes of idleness until an admin is signed out.")] = 30
    secure_cookies: Annotated[bool, Meta(description="Whether cookies are sent over HTTPS only.")] = True


def load(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings of the environment, over those of the file NADI_CLOUD_SETTINGS, under those given; names every problem."""
    source: Mapping[str, str] = os.environ if environment is None else environment  # noqa: TID251 - the one reader
    named = {name.removeprefix(PREFIX).lower(): value for name, value in source.items() if name.startswith(PREFIX)}
    told = {name: value for name, value in given.items() if value is not None}
    file = named.pop("settings", "")
    values: dict[str, Any] = _of_file(Path(file)) if file else {}
    settings = _checked(values | named | told)
    return _with_passphrase(settings)


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
                msgspec.convert(value, fields[name].type, strict=False)
            except msgspec.ValidationError as error:
                problems.append(f"{PREFIX}{name.upper()}: {error}.")
    if bool(values.get("tls_certificate")) != bool(values.get("tls_key")):
        problems.append(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY belong together.")
    if problems:
        raise SettingsError(problems)
    return msgspec.convert(values, Settings, strict=False)


def _with_passphrase(settings: Settings) -> Settings:
    if not settings.passphrase_file or settings.passphrase:
        return settings
    try:
        first, *_ = [*Path(settings.passphrase_file).read_text(encoding="utf-8").splitlines(), ""]
    except OSError as error:
        raise SettingsError([f"{PREFIX}PASSPHRASE_FILE cannot be read."]) from error
    return msgspec.structs.replace(settings, passphrase=first)
