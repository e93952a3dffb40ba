"""A client on paper: one TOML file that says who asks, for what and why, in words for residents.

It is what a town's office writes, a privacy officer reads, and `denizen client add` registers. An example
stands in docs/partners.md.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent import drafts, linter
from consent.facts import Asked, Party, Processing
from consent.purposes import NoticeText, all_purposes, declare_purpose, publish_notice
from idp.clients.metadata import DEVICE_GRANT, ClientRefused, Details, NewClient
from idp.clients.models import ClientRow, Partner
from idp.clients.profiles import USUAL_ALGORITHMS
from idp.clients.service import add_partner, demand_level, register_client
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


class PartyPart(_Part):
    """Someone who answers for data."""

    name: str = Field(min_length=1, max_length=200)
    address: str = Field("", max_length=500)
    contact: str = Field("", max_length=200)
    type: Literal["public_authority", "company", "association", "person", "other"] = "other"
    url: str = Field("", max_length=500)
    email: str = Field("", max_length=254)
    phone: str = Field("", max_length=50)

    def party(self) -> Party:
        """As notices have it."""
        return Party(**self.model_dump())


class ProcessingPart(_Part):
    """Who processes where and how, as ISO/IEC TS 27560 asks; what is left out is not said."""

    controllers: tuple[PartyPart, ...] = ()
    storage_locations: tuple[str, ...] = ()
    processing_locations: tuple[str, ...] = ()
    jurisdiction: str = ""
    recipients: tuple[str, ...] = ()
    collection_method: str = ""
    processing_method: str = ""
    geographic_restrictions: tuple[str, ...] = ()
    codes_of_conduct: tuple[str, ...] = ()
    impact_assessment: str = ""
    authority: PartyPart | None = None

    def processing(self, partner: str) -> Processing:
        """As notices have it; the partner answers where nobody else is named."""
        plain = self.model_dump(exclude={"controllers", "authority"})
        controllers = tuple(one.party() for one in self.controllers) or (Party(partner),)
        return Processing(
            **plain, controllers=controllers, authority=self.authority.party() if self.authority else None
        )


class Purpose(_Part):
    """Why the client asks, on which lawful basis (GDPR Art. 6(1)), for which claims."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    basis: Literal[
        "consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"
    ]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    retention_days: int | None = Field(None, ge=1)
    valid_days: int | None = Field(None, ge=1)
    type: str | None = Field(None, max_length=40)
    minimum_acr: Level | None = None
    processing: ProcessingPart = ProcessingPart()
    notice: dict[str, Notice] = Field(min_length=1)

    def contents(self, partner: str) -> drafts.Contents:
        """What its notice says."""
        texts = {
            language: NoticeText(words.title, words.why, words.retention, words.recipients)
            for language, words in self.notice.items()
        }
        asked = Asked(self.required, self.optional, _seconds(self.retention_days), _seconds(self.valid_days))
        return drafts.Contents(texts, asked, self.processing.processing(partner))


def _seconds(days: int | None) -> int | None:
    return None if days is None else days * DAY


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
    sector: str = Field("", max_length=255)
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
        return NewClient(**kept, **named, details=details, is_pairwise=self.subject_type == "pairwise")


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        ClientRefused: naming every mistake, one a line.
    """
    return _read(path, Manifest)


_Kind = TypeVar("_Kind", bound=BaseModel)


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return kind(**values)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ClientRefused(f"{path}: {error}") from None
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        lines = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems)
        raise ClientRefused("\n".join(lines)) from None


class DraftFile(_Part):
    """A file with one purpose of a client: a new one, or new words and terms for one that it has.

    `material` says that the reason itself is another one: nobody but people can tell.
    """

    client_id: str = Field(min_length=1, max_length=64)
    partner: str = Field("", max_length=120)
    material: bool = False
    purpose: Purpose


def read_draft(path: Path) -> DraftFile:
    """Read such a file.

    Raises:
        ClientRefused: naming every mistake, one a line.
    """
    return _read(path, DraftFile)


def begin_draft(session: Session, log_key: bytes, described: DraftFile, *, now: int) -> str:
    """Begin a draft, and declare the purpose where the client has none of this key; the id of the draft.

    Raises:
        ClientRefused: for a client that is none, and for another basis or kind than the purpose has.
        sqlalchemy.exc.IntegrityError: where a draft is open already.
    """
    wanted, row = described.purpose, session.get(ClientRow, described.client_id)
    if row is None:
        raise ClientRefused(f"client_id: there is no client {described.client_id}")
    partner = described.partner or session.get_one(Partner, row.partner_id).name
    contents = replace(wanted.contents(partner), material=described.material)
    has = {one.key: one for one in all_purposes(session, row.client_id)}.get(wanted.key)
    if has is None:
        return drafts.begin(
            session, _declared(session, log_key, row.client_id, wanted, contents, now=now), contents, now=now
        )
    if has.state == "ended" or (has.basis, has.purpose_type) != (wanted.basis, wanted.type):
        raise ClientRefused(
            f"purpose {wanted.key}: basis and type never change, nor does what has ended come back"
        )
    if wanted.minimum_acr not in (None, row.purpose_acr.get(wanted.key)):
        raise ClientRefused(
            f"purpose {wanted.key}: minimum_acr is no part of a notice; "
            f"set it by: denizen client minimum {row.client_id} {wanted.minimum_acr} --purpose {wanted.key}"
        )
    return drafts.begin(session, has.id, contents, now=now)


def enrol(
    session: Session,
    log_key: bytes,
    manifest: Manifest,
    *,
    now: int,
    vault: Vault | None = None,
    allow_loopback: bool = False,
    algorithms: Sequence[str] = USUAL_ALGORITHMS,
    languages: Sequence[str] = (),
) -> tuple[str, str | None]:
    """Register the client with its purposes and notices; its client_id, and its secret, shown only now.

    `languages` are those that notices need; `vault`, `allow_loopback` and `algorithms` as in `register_client`. A sector_identifier_uri must have been checked.

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
    declare_purposes(session, log_key, new.client_id, manifest, languages=languages, now=now)
    return new.client_id, secret


def declare_purposes(
    session: Session,
    log_key: bytes,
    client_id: str,
    manifest: Manifest,
    *,
    languages: Sequence[str] = (),
    now: int,
) -> None:
    """Declare the purposes of a manifest, with their notices, for a client.

    A purpose of which the linter finds that the privacy officer has to see it waits as a draft in review, and nobody is
    asked for it before; `left_to_officer` says which.

    Raises:
        ClientRefused: when one is not acceptable, with every reason.
    """
    for purpose in manifest.purpose:
        _declare(session, log_key, client_id, purpose, manifest.partner, languages, now=now)
    bump(session, PURPOSES)


def findings_of(manifest: Manifest, languages: Sequence[str] = ()) -> dict[str, tuple[linter.Finding, ...]]:
    """What the linter says of the purposes of a manifest, by their key."""
    return {
        one.key: drafts.lint(one.basis, one.type, one.contents(manifest.partner), languages)
        for one in manifest.purpose
    }


def left_to_officer(manifest: Manifest, languages: Sequence[str] = ()) -> list[str]:
    """The purposes that wait for the privacy officer, each with the reasons, in English."""
    return [
        f"{key}: {'; '.join(one.words for one in found)}"
        for key, found in findings_of(manifest, languages).items()
        if found
    ]


def _declared(
    session: Session,
    log_key: bytes,
    client_id: str,
    purpose: Purpose,
    contents: drafts.Contents,
    *,
    now: int,
) -> str:
    if purpose.minimum_acr:
        demand_level(session, client_id, purpose.minimum_acr, purpose=purpose.key)
    try:
        return declare_purpose(
            session,
            log_key=log_key,
            client_id=client_id,
            key=purpose.key,
            basis=purpose.basis,
            required_claims=purpose.required,
            optional_claims=purpose.optional,
            retention_for=contents.asked.retention_for,
            valid_for=contents.asked.valid_for,
            purpose_type=purpose.type,
            now=now,
        )
    except ValueError as error:
        raise ClientRefused(f"purpose {purpose.key}: {error}") from None


def _declare(  # noqa: PLR0917
    session: Session,
    log_key: bytes,
    client_id: str,
    purpose: Purpose,
    partner: str,
    languages: Sequence[str],
    *,
    now: int,
) -> None:
    contents = purpose.contents(partner)
    findings = drafts.lint(purpose.basis, purpose.type, contents, languages)
    refused = linter.refused(findings)
    if refused:
        raise ClientRefused("\n".join(f"purpose {purpose.key}: {one.words}" for one in refused))
    purpose_id = _declared(session, log_key, client_id, purpose, contents, now=now)
    if findings:
        drafts.begin(session, purpose_id, contents, state="review", findings=findings, now=now)
        return
    publish_notice(
        session,
        log_key=log_key,
        purpose_id=purpose_id,
        texts=contents.texts,
        material=True,
        processing=contents.processing,
        asked=contents.asked,
        now=now,
    )
