"""Founding the town of a run: certificates, settings, an empty database, the resident and the clients."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from admin.sandbox.conformance.certificates import Authority
from admin.sandbox.conformance.clients import api_server, static_clients
from admin.sandbox.conformance.plan import API
from admin.sandbox.conformance.resident import add_resident
from idp.app import open_context
from idp.clients.initial_tokens import make_initial_token
from idp.clients.service import add_partner, register_client
from idp.oidc.every_claim import declare_every_claim
from idp.schema import upgrade_database
from idp.settings import load
from idp.testing_hooks import ROTATE_KEYS
from idp.upkeep import turn_keys
from keys.envelope import create_key_file

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from admin.sandbox.conformance.clients import StaticClient
    from admin.sandbox.conformance.plan import Plan
    from idp.web.context import Context

_PARTNER: Final = "OpenID Foundation conformance suite"
_MONTH: Final = 30 * 86_400
_MANY: Final = 100_000


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run listens: the issuer as others see it, and the addresses on this machine. No `mtls_port`: no door."""

    issuer: str
    bind: str
    port: int
    mtls_port: int | None
    #: Ends the names of the door's headers.
    door_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def host(self) -> str:
        """The issuer's host."""
        return urlsplit(self.issuer).hostname or ""

    @property
    def mtls_url(self) -> str:
        """The same host by the door for certificates."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.mtls_port}" if self.mtls_port else ""

    @property
    def near(self) -> str:
        """The address by which we reach the town from this machine."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104 - asked for


@dataclass(frozen=True, slots=True)
class Founded:
    """The town in its folder, and what is told of it."""

    settings: Path
    certificate: Path
    key: Path
    #: PEM, of the authority that we made.
    authority: str
    clients: list[StaticClient]
    told: dict[str, Any]


def found_town(folder: Path, places: Places, plan: Plan) -> Founded:
    """Make the town.

    Raises:
        PlanProblem: for certificates of the plan that cannot be read.
        ClientRefused: for keys of the plan that cannot be registered.
        SettingsError: when the issuer is public, or something else of the plan cannot be.
    """
    now = int(time.time())
    authority = Authority(now=now)
    clients = static_clients(plan, authority)
    certificate, key = tls = _certificates(folder, places, plan, authority)
    hook_secret = secrets.token_urlsafe(32)
    settings = folder / "denizen.toml"
    settings.write_text(_settings(folder, places, plan, tls, hook_secret), encoding="utf-8")
    loaded = load(settings)
    create_key_file(loaded.keys.file)
    upgrade_database(loaded.database.url)
    context = open_context(loaded)
    try:
        turn_keys(context, now=now)
        with context.database.transaction() as session:
            told = _seeded(session, context, clients, now=now)
    finally:
        context.database.close()
    hook = {"url": f"{places.issuer}{ROTATE_KEYS}", "authorization": f"Bearer {hook_secret}"}
    told |= {"hooks": {"rotate_keys": hook}, "authority": authority.own.pem}
    return Founded(settings, certificate, key, authority.own.pem, clients, told)


def _certificates(folder: Path, places: Places, plan: Plan, authority: Authority) -> tuple[Path, Path]:
    """The town's certificate and key: those of the plan, or made."""
    (folder / "authority.pem").write_text(authority.own.pem)
    if plan.tls_certificate and plan.tls_key:
        return plan.tls_certificate.resolve(), plan.tls_key.resolve()
    made = authority.for_server([places.host])
    certificate, key = folder / "tls.pem", folder / "tls.key"
    certificate.write_text(made.pem + authority.own.pem)
    key.touch(0o600)
    key.write_text(made.key_pem)
    return certificate, key


def _seeded(session: Session, context: Context, clients: list[StaticClient], *, now: int) -> dict[str, Any]:
    vault = context.vault
    partner = add_partner(session, _PARTNER, now=now)
    told: dict[str, Any] = {"resident": add_resident(session, context, now=now), "clients": {}}
    algorithms = context.settings.keys.algorithms
    told["api"] = {
        "client_id": API,
        "client_secret": register_client(session, partner, api_server(), now=now),
    }
    for client in clients:
        secret = register_client(
            session, partner, client.new, now=now, vault=vault, allow_loopback=True, algorithms=algorithms
        )
        declare_every_claim(session, vault.subkey("log"), client.name, now=now)
        told["clients"][client.name] = _told(client, secret)
    # The one profile that allows whatever the suite registers for.
    token = make_initial_token(
        session, partner, profile="legacy", uses=_MANY, expires_at=now + _MONTH, now=now
    )
    return {**told, "initial_access_token": token}


def _told(client: StaticClient, secret: str | None) -> dict[str, Any]:
    """A client as it is printed: what is registered, and what was made for it."""
    new = client.new
    told: dict[str, Any] = {
        "client_id": new.client_id,
        "profile": new.profile,
        "token_endpoint_auth_method": new.token_endpoint_auth_method,
        "redirect_uris": list(new.redirect_uris),
        "post_logout_redirect_uris": list(new.post_logout_redirect_uris),
        "scope": " ".join(new.scopes),
        "id_token_signed_response_alg": new.id_token_signed_response_alg,
    }
    made = {
        "client_secret": secret,
        "jwks": client.jwks,
        "certificate": client.certificate or None,
        "certificate_key": client.certified.key_pem if client.certified else None,
    }
    return {**told, **{name: value for name, value in made.items() if value is not None}}


def _settings(folder: Path, places: Places, plan: Plan, tls: tuple[Path, Path], hook_secret: str) -> str:
    bind = f"[{places.bind}]" if ":" in places.bind else places.bind
    values: dict[str, dict[str, Any]] = {
        "server": {
            "issuer": places.issuer,
            "staff_url": "https://staff.localhost:1",
            "bind": f"{bind}:{places.port}",
            "tls_certificate": str(tls[0]),
            "tls_key": str(tls[1]),
            # Of its suites for 1.2 the server cannot leave out one that FAPI 2.0 does not want.
            "tls_minimum": "1.3",
            **_door_settings(folder, places),
        },
        "town": {"name": "Riverton", "contact_email": "help@riverton.example"},
        "database": {"url": f"sqlite:///{(folder / 'denizen.sqlite').as_posix()}"},
        "keys": {"file": str(folder / "denizen.key"), "algorithms": list(plan.algorithms)},
        "mail": {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "denizen@riverton.example"},
        "registration": {"mode": "open", "profile": "legacy"},
        "testing": {
            "enabled": True,
            "allow_loopback": True,
            "allow_private": True,
            "purpose_for_registered": True,
            "hook_secret": hook_secret,
            **({"extra_ca": str(plan.suite_ca.resolve())} if plan.suite_ca else {}),
        },
    }
    return "\n".join(_section(name, section) for name, section in values.items())


def _door_settings(folder: Path, places: Places) -> dict[str, Any]:
    if places.mtls_port is None:
        return {}
    return {
        "trusted_proxies": [places.near],
        "proxy_secret": places.door_secret,
        "mtls_url": places.mtls_url,
        "client_ca": str(folder / "authority.pem"),
    }


def _section(name: str, values: dict[str, Any]) -> str:
    """A TOML table; JSON's texts, numbers and lists of texts are TOML's, too."""
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    return "\n".join([f"[{name}]", *lines, ""])
