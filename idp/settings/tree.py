"""The whole tree, its checks across sections, and how it is read."""

from __future__ import annotations

import os
import re
import tomllib
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from idp.settings.accounts import AccountSettings
from idp.settings.consent import ConsentSettings
from idp.settings.kiosk import KioskSettings
from idp.settings.letters import LetterSettings
from idp.settings.log import LogSettings
from idp.settings.mail import MailSettings
from idp.settings.messages import MessageSettings
from idp.settings.registration import RegistrationSettings
from idp.settings.rights import RetentionSettings, RightsSettings
from idp.settings.section import is_address, is_internal
from idp.settings.server import ServerSettings
from idp.settings.sign_in import PasswordSettings, SessionSettings
from idp.settings.sms import SmsSettings
from idp.settings.storage import DatabaseSettings, KeySettings
from idp.settings.testing import TestingSettings
from idp.settings.throttle import ThrottleSettings
from idp.settings.tokens import TokenSettings
from idp.settings.town import TownSettings
from idp.settings.upstream import UpstreamSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: How long the JWKS answer may be cached, in seconds (its Cache-Control says so).
JWKS_CACHE_FOR = 3600


class SettingsError(Exception):
    """The settings cannot be used. `problems` holds one line each, in the operator's words."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class Settings(BaseSettings):
    """The whole tree. Build it with `load`, or directly from values in a test."""

    model_config = SettingsConfigDict(
        env_prefix="DENIZEN_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    server: ServerSettings
    town: TownSettings
    database: DatabaseSettings = DatabaseSettings()
    keys: KeySettings = KeySettings()
    messages: MessageSettings = MessageSettings()
    mail: MailSettings = MailSettings()
    sms: SmsSettings = SmsSettings()
    letters: LetterSettings = LetterSettings()
    tokens: TokenSettings = TokenSettings()
    registration: RegistrationSettings = RegistrationSettings()
    sessions: SessionSettings = SessionSettings()
    kiosk: KioskSettings = KioskSettings()
    passwords: PasswordSettings = PasswordSettings()
    accounts: AccountSettings = AccountSettings()
    consent: ConsentSettings = ConsentSettings()
    rights: RightsSettings = RightsSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    throttle: ThrottleSettings = ThrottleSettings()
    upstream: UpstreamSettings = UpstreamSettings()
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
        if not self.testing.is_off and not all(map(is_internal, self.server.addresses)):
            raise ValueError(
                "[testing] is refused with a public issuer, staff_url or mtls_url: take one of this machine, of a "
                "private network, or a name that ends in .localhost, .test or .internal"
            )
        for provider in self.upstream.providers:
            if provider.issuer == self.server.issuer:
                raise ValueError("[upstream] a provider is the town itself")
            if provider.issuer.startswith("http:") and not self.testing.allow_loopback:
                raise ValueError("[upstream] an issuer on this machine needs [testing] allow_loopback")
        if self.server.workers > 1 and self.is_sqlite:
            raise ValueError("[server] workers must be 1 with SQLite; use PostgreSQL for more")
        if self.keys.keep_for < max(self.tokens.id_token_for, self.tokens.access_for) + JWKS_CACHE_FOR:
            raise ValueError(
                "[keys] keep_for must outlast [tokens] id_token_for and access_for, and the hour that caches keep keys"
            )
        if self.tokens.refresh_for < self.tokens.access_for:
            raise ValueError(
                "[tokens] refresh_for must be at least access_for: access tokens end with their family"
            )
        if self.keys.publish_for < JWKS_CACHE_FOR:
            raise ValueError("[keys] publish_for must outlast the hour that caches keep keys (3600)")
        return self

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite (one process, one writer)."""
        return self.database.url.startswith("sqlite:")

    @property
    def threads(self) -> int:
        """Requests that one process works on at the same time."""
        # With SQLite a request waits for no other process: a second one at work would only pass the interpreter's
        # lock to and fro, and the caches of the processors with it.
        return self.server.threads or (1 if self.is_sqlite else 2)

    @property
    def passkey_domain(self) -> str:
        """The RP ID of passkeys (WebAuthn L3 §5.4.2); empty where there can be none: at an IP address."""
        return _passkey_domain(self.server.issuer, self.server.rp_id)

    @property
    def is_secure(self) -> bool:
        """Whether residents reach us by https, so that cookies carry `__Host-` and `Secure`."""
        return self.server.issuer.startswith("https://")


@lru_cache(maxsize=8)
def _passkey_domain(issuer: str, rp_id: str) -> str:
    """Asked for several times in every sign-in."""
    host = urlsplit(issuer).hostname or ""
    return "" if is_address(host) else rp_id or host


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
    if unknown := _unknown_variables():
        raise SettingsError([f"{name}: no such setting" for name in unknown])
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    except UnreadableVariable as error:
        section = re.findall(r'field "(\w+)"', str(error))
        raise SettingsError(
            [f'[{"".join(section)}] a DENIZEN_ variable cannot be read; write a list as ["one", "two"]']
        ) from None


def _unknown_variables() -> list[str]:
    """Variables of sections that there are not; of those that there are, an unknown setting is told like one of the file."""
    names = [name.upper() for name in os.environ if "__" in name]  # noqa: TID251 - only names
    ours = [name for name in names if name.startswith("DENIZEN_")]
    return sorted(name for name in ours if name[8:].partition("__")[0].lower() not in Settings.model_fields)


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
