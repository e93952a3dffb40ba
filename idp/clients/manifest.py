"""A client on paper: one TOML file that says who asks, for what and why, in words for residents.

It is what a town's office writes, a privacy officer reads, and `denizen client add` registers. An example
stands in docs/partners.md.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.purposes import NoticeText, declare_purpose, publish_notice
from idp.clients.metadata import DEVICE_GRANT, ClientRefused, Details, NewClient
from idp.clients.profiles import USUAL_ALGORITHMS
from idp.clients.service import add_partner, register_client
from idp.jobs.stamps import PURPOSES, bump

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from keys.envelope import Vault

DAY = 86_400
#: `SIGN_IN_LEVELS` as a type.
Level = Literal["basic", "strong", "phr"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Notice(_Part):
    """The words of one purpose in one language."""

    title: str = Field(min_length=1, max_length=200)
    why: str = Field(min_length=1, max_length=2000)
    retention: str = Field(min_length=1, max_length=500)
    recipients: str = Field(min_length=1, max_length=500)


class Purpose(_Part):
    """Why the client asks, on which lawful basis (GDPR Art. 6(1)), for which claims."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    basis: Literal[
        "consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"
    ]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    retention_days: int | None = Field(None, ge=1)
    minimum_acr: Level | None = None
    notice: dict[str, Notice] = Field(min_length=1)


class Manifest(Details):
    """The whole file. `profile` is one of `idp.clients.profiles`; what is inherited has the names of RFC 7591."""

    partner: str = Field(min_length=1, max_length=120)
    name: str = Field(min_length=1, max_length=120)
    client_id: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{3,64}$")
    application_type: Literal["web", "native"] = "web"
    profile: str = "standard"
    token_endpoint_auth_method: str = "client_secret_basic"
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code",)
    scopes: tuple[str, ...] = ("openid",)
    protects_scopes: tuple[str, ...] = ()
    id_token_signed_response_alg: Literal["ES256", "RS256", "PS256", "EdDSA"] = "ES256"
    home_url: str = ""
    subject_type: Literal["pairwise", "public"] = "pairwise"
    sector: str = ""
    minimum_acr: Level = "basic"
    default_acr_values: tuple[Level, ...] = ()
    default_max_age: int | None = Field(None, ge=0, le=31_536_000)
    purpose: tuple[Purpose, ...] = ()

    def client(self) -> NewClient:
        """The client's metadata."""
        named: dict[str, Any] = {"client_id": self.client_id} if self.client_id else {}
        details = Details(**{name: getattr(self, name) for name in Details.model_fields})
        left_out = {"partner", "client_id", "subject_type", "purpose", *Details.model_fields}
        kept = self.model_dump(exclude=left_out)
        demanded = {one.key: one.minimum_acr for one in self.purpose if one.minimum_acr}
        return NewClient(
            **kept,
            **named,
            details=details,
            is_pairwise=self.subject_type == "pairwise",
            purpose_acr=demanded,
        )


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        ClientRefused: naming every mistake, one a line.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Manifest(**values)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ClientRefused(f"{path}: {error}") from None
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        lines = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems)
        raise ClientRefused("\n".join(lines)) from None


def enrol(
    session: Session,
    log_key: bytes,
    manifest: Manifest,
    *,
    now: int,
    vault: Vault | None = None,
    allow_loopback: bool = False,
    algorithms: Sequence[str] = USUAL_ALGORITHMS,
) -> tuple[str, str | None]:
    """Register the client with its purposes and notices; its client_id, and its secret, shown only now.

    `vault`, `allow_loopback` and `algorithms` as in `register_client`. A sector_identifier_uri must have been checked.

    Raises:
        ClientRefused: when something in it is not acceptable; nothing is written then.
    """
    new = manifest.client()
    if {"authorization_code", "implicit", DEVICE_GRANT} & set(new.grant_types) and not manifest.purpose:
        raise ClientRefused("purpose: a client that signs residents in needs at least one")
    partner_id = add_partner(session, manifest.partner, now=now)
    secret = register_client(
        session,
        partner_id,
        new,
        now=now,
        vault=vault,
        allow_loopback=allow_loopback,
        algorithms=algorithms,
    )
    declare_purposes(session, log_key, new.client_id, manifest, now=now)
    return new.client_id, secret


def declare_purposes(
    session: Session, log_key: bytes, client_id: str, manifest: Manifest, *, now: int
) -> None:
    """Declare the purposes of a manifest, with their notices, for a client.

    Raises:
        ClientRefused: when one is not acceptable.
    """
    for purpose in manifest.purpose:
        _declare(session, log_key, client_id, purpose, now=now)
    bump(session, PURPOSES)


def _declare(session: Session, log_key: bytes, client_id: str, purpose: Purpose, *, now: int) -> None:
    try:
        purpose_id = declare_purpose(
            session,
            log_key=log_key,
            client_id=client_id,
            key=purpose.key,
            basis=purpose.basis,
            required_claims=purpose.required,
            optional_claims=purpose.optional,
            retention_for=purpose.retention_days * DAY if purpose.retention_days else None,
            now=now,
        )
    except ValueError as error:
        raise ClientRefused(f"purpose {purpose.key}: {error}") from None
    texts = {
        language: NoticeText(words.title, words.why, words.retention, words.recipients)
        for language, words in purpose.notice.items()
    }
    publish_notice(session, log_key=log_key, purpose_id=purpose_id, texts=texts, material=True, now=now)
