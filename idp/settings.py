"""Every setting of Denizen: one frozen tree, read once from denizen.toml and DENIZEN_* variables.

A variable wins over the file: `DENIZEN_SERVER__ISSUER` is `issuer` under `[server]`.
Each field's description is the sentence that docs/settings.md shows.
"""

from __future__ import annotations

import re
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

if TYPE_CHECKING:
    from collections.abc import Iterable

Seconds = Annotated[int, Field(ge=0)]
_HIGHEST_PORT = 65535
LANGUAGES: tuple[Literal["en", "fr"], ...] = ("en", "fr")


class SettingsError(Exception):
    """The settings cannot be used. `problems` holds one line each, in the operator's words."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine itself, so that plain http is harmless."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_address(host) and ip_address(host).is_loopback


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _check_origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or not _has_good_port(parts.netloc):
        raise ValueError("write a full address such as https://id.example.org")
    if url != url.lower():
        raise ValueError("write the address in lower case, as browsers send it")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise ValueError("write the address without path, query, fragment or user name")
    if parts.scheme == "http" and not is_loopback(url):
        raise ValueError("a public address must begin with https://")
    return url.rstrip("/")


def _has_good_port(netloc: str) -> bool:
    port = re.search(r":(\d*)$", netloc)
    return netloc.endswith("]") or ":" not in netloc or (port is not None and _is_port(port[1]))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST_PORT


def _check_mailbox(value: str) -> str:
    if not re.fullmatch(r"[^\s<>@]+@[^\s<>@]+|[^\r\n<>@]*<[^\s<>@]+@[^\s<>@]+>", value):
        raise ValueError("write an e-mail address such as help@example.org")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(_Section):
    """Where residents and staff reach the town."""

    issuer: str = Field(description="Address residents and partners use; the OpenID Connect issuer.")
    staff_url: str = Field(
        description="Address of the staff pages; another host name or port than the issuer."
    )
    bind: str = Field("127.0.0.1:8400", description="Address and port on which the resident app listens.")
    staff_bind: str = Field(
        "", description="Own address and port for the staff app; empty: the same listener, by host name."
    )
    workers: int = Field(1, ge=1, le=64, description="Server processes. SQLite allows exactly one.")
    threads: int = Field(2, ge=1, le=64, description="Requests that one process works on at the same time.")
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses of reverse proxies whose X-Forwarded-For is believed."
    )
    rp_id: str = Field("", description="Domain that passkeys belong to; empty: the host name of the issuer.")

    _origins = field_validator("issuer", "staff_url")(_check_origin)

    @field_validator("bind", "staff_bind")
    @classmethod
    def _check_bind(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and _is_port(port)):
            raise ValueError("write address:port, such as 127.0.0.1:8400")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ip_address(address)
        return value

    @model_validator(mode="after")
    def _check_rp_id(self) -> ServerSettings:
        host = urlsplit(self.issuer).hostname or ""
        is_parent = "." in self.rp_id and host.endswith(f".{self.rp_id}")
        if self.rp_id and (is_address(host) or not (self.rp_id == host or is_parent)):
            raise ValueError("rp_id must be the host name of issuer or a domain above it")
        return self

    @model_validator(mode="after")
    def _check_apart(self) -> ServerSettings:
        if self.issuer == self.staff_url:
            raise ValueError(
                "staff_url must differ from issuer, so that no resident cookie reaches a staff page"
            )
        return self


class TownSettings(_Section):
    """How the town shows itself."""

    name: str = Field(min_length=1, max_length=80, description="Name of the town as residents know it.")
    colour: str = Field("#0b6e4f", pattern=r"^#[0-9a-fA-F]{6}$", description="Main colour, as #rrggbb.")
    crest: str = Field("", description="Address path of the crest image; empty: a plain shield.")
    contact_email: str = Field(description="Where residents turn when something does not work.")
    languages: tuple[Literal["en", "fr"], ...] = Field(
        LANGUAGES, min_length=1, description="Languages offered, the first one by default."
    )
    time_zone: str = Field("UTC", description="Time zone in which residents and staff read times.")

    _mailbox = field_validator("contact_email")(_check_mailbox)

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("no such time zone; write one such as Europe/Paris") from error
        return value


class DatabaseSettings(_Section):
    """Where the data lives."""

    url: str = Field(
        "sqlite:///denizen.sqlite",
        description="sqlite:///PATH for one machine, or postgresql://USER:PASSWORD@HOST/NAME.",
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if value.startswith("postgresql://"):
            return "postgresql+psycopg://" + value.removeprefix("postgresql://")
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
        return value


class KeySettings(_Section):
    """The key file, and how long a signing key lives."""

    file: Path = Field(Path("denizen.key"), description="The key file that `denizen init` makes.")
    publish_for: Seconds = Field(86_400, description="Seconds a signing key is published before it signs.")
    sign_for: Seconds = Field(30 * 86_400, description="Seconds a signing key signs.")
    keep_for: Seconds = Field(7 * 86_400, description="Seconds a key stays published after it signed last.")


class MailSettings(_Section):
    """How mail leaves the town."""

    host: str = Field("127.0.0.1", description="Name or address of the SMTP server.")
    port: int = Field(25, ge=1, le=65535, description="Port of the SMTP server.")
    username: str = Field("", description="User name at the SMTP server; empty: no authentication.")
    password: str = Field("", description="Password at the SMTP server.", repr=False)
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="Encryption on the way to the SMTP server; none only on one machine."
    )
    sender: str = Field("denizen@localhost", description="Sender address of every mail.")

    _mailbox = field_validator("sender")(_check_mailbox)


class TokenSettings(_Section):
    """Lifetimes of what partners hold, in seconds."""

    code_for: int = Field(
        60, ge=5, le=60, description="Life of an authorization code (FAPI 2.0: at most 60)."
    )
    access_for: int = Field(600, ge=60, le=86_400, description="Life of an access token.")
    id_token_for: int = Field(600, ge=60, le=86_400, description="Life of an ID token.")
    refresh_for: int = Field(30 * 86_400, ge=600, description="Life of a refresh token family, from sign-in.")


class SessionSettings(_Section):
    """Lifetimes of sign-ins, in seconds."""

    idle_for: int = Field(
        4 * 3600, ge=300, description="A resident is signed out after this long without use."
    )
    absolute_for: int = Field(
        24 * 3600, ge=300, description="A resident signs in again after this long in any case."
    )
    staff_idle_for: int = Field(1800, ge=60, description="Staff are signed out after this long without use.")
    staff_absolute_for: int = Field(12 * 3600, ge=300, description="Staff sign in again after this long.")


class PasswordSettings(_Section):
    """Cost of a password guess: Argon2id (RFC 9106), never below the OWASP minimum."""

    memory_kib: int = Field(19_456, ge=19_456, le=4_194_304, description="Argon2id memory in KiB.")
    iterations: int = Field(2, ge=2, le=64, description="Argon2id iterations.")
    lanes: int = Field(1, ge=1, le=64, description="Argon2id parallelism.")
    minimum_length: int = Field(15, ge=15, le=64, description="Shortest password that stands alone.")


class TestingSettings(_Section):
    """Switches for unattended conformance runs; refused with a public issuer."""

    enabled: bool = Field(False, description="Lifts throttles for conformance runs on this machine.")


class Settings(BaseSettings):
    """The whole tree. Build it with `load`, or directly from values in a test."""

    model_config = SettingsConfigDict(
        env_prefix="DENIZEN_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    server: ServerSettings
    town: TownSettings
    database: DatabaseSettings = DatabaseSettings()
    keys: KeySettings = KeySettings()
    mail: MailSettings = MailSettings()
    tokens: TokenSettings = TokenSettings()
    sessions: SessionSettings = SessionSettings()
    passwords: PasswordSettings = PasswordSettings()
    testing: TestingSettings = TestingSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment variables win over the file, whose content arrives as arguments."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _check_whole(self) -> Settings:
        if self.testing.enabled and not is_loopback(self.server.issuer):
            raise ValueError("[testing] enabled is refused with a public issuer")
        if self.server.workers > 1 and self.is_sqlite:
            raise ValueError("[server] workers must be 1 with SQLite; use PostgreSQL for more")
        if self.keys.keep_for < self.tokens.id_token_for + JWKS_CACHE_FOR:
            raise ValueError(
                "[keys] keep_for must outlast [tokens] id_token_for and the hour that caches keep keys"
            )
        if self.keys.publish_for < JWKS_CACHE_FOR:
            raise ValueError("[keys] publish_for must outlast the hour that caches keep keys (3600)")
        return self

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite (one process, one writer)."""
        return self.database.url.startswith("sqlite:")

    @property
    def passkey_domain(self) -> str:
        """The RP ID of passkeys (WebAuthn L3 §5.4.2); empty where there can be none: at an IP address."""
        host = urlsplit(self.server.issuer).hostname or ""
        return "" if is_address(host) else self.server.rp_id or host

    @property
    def is_secure(self) -> bool:
        """Whether residents reach us by https, so that cookies carry `__Host-` and `Secure`."""
        return self.server.issuer.startswith("https://")


#: How long the JWKS answer may be cached, in seconds (its Cache-Control says so).
JWKS_CACHE_FOR = 3600


def load(path: Path) -> Settings:
    """Read the settings file and the environment.

    Raises:
        SettingsError: with every mistake found, each naming its setting.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError([f"{path}: no such file. Make one with: denizen init"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: cannot be read ({error})"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path}: not valid TOML: {error}"]) from None
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    except UnreadableVariable as error:
        section = re.findall(r'field "(\w+)"', str(error))
        raise SettingsError(
            [f'[{"".join(section)}] a DENIZEN_ variable cannot be read; write a list as ["one", "two"]']
        ) from None


def _explain(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in problem["loc"]]
        name = f"[{place[0]}] {'.'.join(place[1:])}".strip() if place else "settings"
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            text = "no such setting"
        elif problem["type"] == "missing":
            text = "is missing"
        lines.append(f"{name}: {text}")
    return lines
