"""Purposes of clients, and the notices that explain them."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Select, bindparam, func, insert, select, update

from consent import facts, log, models, rules
from consent.canonical import names, to_text
from consent.executor import Executor
from consent.facts import Asked, Change, Party, Processing
from consent.log.sources import NOTICE_PUBLISHED, PURPOSE_DECLARED, PURPOSE_END_COLUMNS, PURPOSE_ENDED
from consent.notices import (
    Notice,
    NoticeText,
    Published,
    as_notice,
    body_hash_of,
    more_columns,
    newest,
    notice_by_hash,
    notice_values,
    notices_at,
    notices_for,
    versions,
)

_PURPOSE, _NOTICE = models.table(models.Purpose), models.table(models.Notice)
__all__ = [
    "Asked",
    "Change",
    "Notice",
    "NoticeText",
    "Party",
    "Processing",
    "Published",
    "Purpose",
    "all_purposes",
    "body_hash_of",
    "changes_since",
    "check_asked",
    "declare_purpose",
    "end_purpose",
    "find_purpose",
    "newest",
    "notice_by_hash",
    "notices_at",
    "notices_for",
    "publish_notice",
    "purposes_for_client",
    "versions",
]

_CLAIM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/#-]{0,99}")


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why a client may ask, as it stands: with the newest notice version, and the newest material one.

    ``state`` is declared while there is no notice, published, or ended. ``valid_for`` is how long a consent lasts, in
    seconds, None when until it is withdrawn.
    """

    id: str
    client_id: str
    key: str
    basis: str
    required_claims: tuple[str, ...]
    optional_claims: tuple[str, ...]
    retention_for: int | None
    minimum_level: str
    subject_sector: str | None
    notice_version: int
    material_version: int
    valid_for: int | None = None
    state: str = "published"
    purpose_type: str | None = None

    @property
    def terms(self) -> rules.Terms:
        """What :func:`consent.rules.decide` needs of it."""
        return rules.Terms(
            self.id,
            self.basis,
            self.required_claims,
            self.optional_claims,
            self.material_version,
            self.valid_for,
            self.is_question,
        )

    @property
    def is_question(self) -> bool:
        """Whether it is asked outside a sign-in: a real choice for its own sake, with no data handed over.

        A purpose without data that says nothing of its kind is about signing in itself.
        """
        is_named = self.purpose_type not in {None, "sign_in"}
        return self.basis == rules.CONSENT and is_named and not self.asked.claims

    @property
    def asked(self) -> Asked:
        """Which data it asks for and for how long."""
        return Asked(self.required_claims, self.optional_claims, self.retention_for, self.valid_for)


_OTHER = _NOTICE.alias()
_NEWEST = select(func.max(_OTHER.c.version))
_OF_PURPOSE = _NEWEST.where(_OTHER.c.purpose_id == _PURPOSE.c.id)
_NOTICE_VERSION = _OF_PURPOSE.scalar_subquery()
_MATERIAL_VERSION = _OF_PURPOSE.where(_OTHER.c.material).scalar_subquery()
_THIS = _NOTICE.alias()
# Every language of a version says the same of data and times.
_TERMS = (
    select(func.max(_THIS.c.terms))
    .where(
        _THIS.c.purpose_id == _PURPOSE.c.id,
        _THIS.c.version
        == _NEWEST.where(_OTHER.c.purpose_id == _THIS.c.purpose_id).correlate(_THIS).scalar_subquery(),
    )
    .correlate(_PURPOSE)
    .scalar_subquery()
)
_ALL: Select[Any] = select(
    _PURPOSE,
    _NOTICE_VERSION.label("notice_version"),
    _MATERIAL_VERSION.label("material_version"),
    _TERMS.label("terms"),
).order_by(_PURPOSE.c.created_at, _PURPOSE.c.id)
_ONE = _ALL.where(_PURPOSE.c.id == bindparam("purpose_id"))
_DECLARED = select(_PURPOSE).where(_PURPOSE.c.id == bindparam("purpose_id"))
_SINCE = select(_NOTICE.c.changes).where(
    _NOTICE.c.purpose_id == bindparam("purpose_id"),
    _NOTICE.c.version > bindparam("version"),
    _NOTICE.c.changes.is_not(None),
)
_OF_CLIENT = _ALL.where(
    _PURPOSE.c.client_id == bindparam("client_id"),
    _PURPOSE.c.ended_at.is_(None),
    _NOTICE_VERSION.is_not(None),
)
_NEXT_VERSION = select(func.coalesce(func.max(_NOTICE.c.version), 0) + 1).where(
    _NOTICE.c.purpose_id == bindparam("purpose_id")
)
_END = (
    update(_PURPOSE)
    .where(_PURPOSE.c.id == bindparam("purpose_id"), _PURPOSE.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"), ended_uid=bindparam("new_uid"))
    .returning(*(_PURPOSE.c[name] for name in PURPOSE_END_COLUMNS))
)


def declare_purpose(
    connection: Executor,
    *,
    log_key: bytes,
    client_id: str,
    key: str,
    basis: str,
    required_claims: Sequence[str],
    optional_claims: Sequence[str] = (),
    retention_for: int | None = None,
    minimum_level: str = "basic",
    subject_sector: str | None = None,
    purpose_type: str | None = None,
    valid_for: int | None = None,
    now: int,
) -> str:
    """Declare why a client asks for claims; the id of the purpose. It can be asked for once it has a notice.

    ``retention_for`` and ``valid_for`` are in seconds; ``log_key`` is the service's. Raises ValueError for an unknown basis, for
    a claim named twice or badly, and for optional claims on another basis than consent: what a person is free
    to leave out rests on consent, so it is a purpose of its own.
    """
    check_asked(basis, Asked(tuple(required_claims), tuple(optional_claims), retention_for, valid_for))
    values = {
        "id": secrets.token_urlsafe(16),
        "uid": log.new_uid(now),
        "client_id": client_id,
        "key": key,
        "basis": basis,
        "required_claims": to_text(list(required_claims)),
        "optional_claims": to_text(list(optional_claims)),
        "minimum_level": minimum_level,
        "created_at": now,
        "retention_for": retention_for,
        "subject_sector": subject_sector,
        "purpose_type": purpose_type,
        "valid_for": valid_for,
    }
    connection.execute(insert(_PURPOSE), values)
    _log(connection, log_key, PURPOSE_DECLARED, ref=_PURPOSE.name, values=values, now=now)
    return str(values["id"])


def end_purpose(connection: Executor, *, log_key: bytes, purpose_id: str, now: int) -> bool:
    """Stop asking for a purpose, for good; False if it was ended before or never was."""
    uid = log.new_uid(now)
    row = connection.execute(_END, {"purpose_id": purpose_id, "at": now, "new_uid": uid}).mappings().first()
    if row is None:
        return False
    _log(connection, log_key, PURPOSE_ENDED, ref=_PURPOSE.name, values={**row, "uid": uid}, now=now)
    return True


def publish_notice(
    connection: Executor,
    *,
    log_key: bytes,
    purpose_id: str,
    texts: Mapping[str, NoticeText],
    material: bool,
    processing: Processing | None = None,
    asked: Asked | None = None,
    changes: Sequence[Change] = (),
    now: int,
) -> tuple[Notice, ...]:
    """Publish a new version of a purpose's notice in every language of ``texts``, for ever unchangeable.

    ``material`` (other purpose, recipients, data, controller, or longer retention) makes residents choose
    again; a wording fix does not. A first version always counts as material, and so does one with ``changes``
    that are. ``asked`` is what this version asks for, the purpose's own when there is none. :mod:`consent.drafts`
    works out changes; whoever calls this answers for them. Two publishers at once: the second meets the unique
    version and fails with IntegrityError.
    """
    if not texts:
        raise ValueError("a notice needs words in at least one language")
    version = connection.execute(_NEXT_VERSION, {"purpose_id": purpose_id}).scalar_one()
    published = []
    more = more_columns(processing, asked, changes)
    material = material or version == 1 or facts.is_material(changes)
    for language, text in texts.items():
        values = notice_values(purpose_id, version, language, text, more)
        values |= {"uid": log.new_uid(now), "published_at": now, "material": material}
        connection.execute(insert(_NOTICE), values)
        _log(connection, log_key, NOTICE_PUBLISHED, ref=_NOTICE.name, values=values, now=now)
        published.append(as_notice(values))
    return tuple(published)


def purposes_for_client(connection: Executor, client_id: str) -> tuple[Purpose, ...]:
    """The purposes a client may ask for today: not ended, and with a notice to show; oldest first."""
    return tuple(map(_purpose, connection.execute(_OF_CLIENT, {"client_id": client_id}).mappings()))


def changes_since(
    connection: Executor, purpose_id: str, version: int, language: str, fallback: str
) -> tuple[Change, ...]:
    """What is not as it was in an earlier version of a purpose's notice; nothing if nobody can tell.

    A change of the reason itself is in words alone: it counts if any version since was published as one.
    """
    purpose = find_purpose(connection, purpose_id)
    old = notices_at(connection, {purpose_id: version}, language, fallback).get(purpose_id)
    new = notices_for(connection, [purpose_id], language, fallback).get(purpose_id)
    if purpose is None or old is None or new is None:
        return ()
    rows = connection.execute(_SINCE, {"purpose_id": purpose_id, "version": version}).scalars()
    another = any(one.what == "purpose" for text in rows for one in facts.changes_from(orjson.loads(text)))
    own = connection.execute(_DECLARED, {"purpose_id": purpose_id}).mappings().one()
    return facts.differences(
        facts.Version(old.asked or _declared(own), old.processing, {old.language: old.text.recipients}),
        facts.Version(purpose.asked, new.processing, {new.language: new.text.recipients}),
        other_purpose=another,
    )


def all_purposes(connection: Executor, client_id: str | None = None) -> tuple[Purpose, ...]:
    """Every purpose there ever was, of one client or of all, ended ones and those without a notice too."""
    statement = _ALL if client_id is None else _ALL.where(_PURPOSE.c.client_id == client_id)
    return tuple(map(_purpose, connection.execute(statement).mappings()))


def find_purpose(connection: Executor, purpose_id: str) -> Purpose | None:
    """One purpose, whatever its state; None if there is none."""
    row = connection.execute(_ONE, {"purpose_id": purpose_id}).mappings().first()
    return None if row is None else _purpose(row)


_PLAIN: Final = ("id", "client_id", "key", "basis", "minimum_level", "subject_sector", "purpose_type")


def _purpose(row: Mapping[str, Any]) -> Purpose:
    asked = _declared(row) if row["terms"] is None else facts.asked_from(orjson.loads(row["terms"]))
    spoken = row["notice_version"] is not None
    return Purpose(
        **{name: row[name] for name in _PLAIN},
        required_claims=asked.required_claims,
        optional_claims=asked.optional_claims,
        retention_for=asked.retention_for,
        valid_for=asked.valid_for,
        notice_version=row["notice_version"] or 0,
        material_version=row["material_version"] or 0,
        state="ended" if row["ended_at"] is not None else "published" if spoken else "declared",
    )


def _declared(row: Mapping[str, Any]) -> Asked:
    """What a purpose was declared with."""
    claims = (names(row["required_claims"]), names(row["optional_claims"]))
    return Asked(*claims, row["retention_for"], row["valid_for"])


def check_asked(basis: str, asked: Asked) -> None:
    """Raise ValueError, in words, for terms that make no sense under a basis."""
    if basis not in models.BASES:
        raise ValueError(f"{basis!r} is no lawful basis; one of {', '.join(models.BASES)}")
    claims, optional = asked.claims, asked.optional_claims
    for name, length in (("retention", asked.retention_for), ("validity", asked.valid_for)):
        if length is not None and length <= 0:
            raise ValueError(f"the {name} must be longer than nothing")
    if len(set(claims)) != len(claims):
        raise ValueError("a claim is named twice")
    for claim in claims:
        if not _CLAIM_NAME.fullmatch(claim):
            raise ValueError(f"{claim!r} is no name of a claim")
    if optional and basis != rules.CONSENT:
        raise ValueError(f"optional claims rest on consent, not on {basis}: declare a purpose of their own")


def _log(
    connection: Executor, log_key: bytes, kind: str, *, ref: str, values: Mapping[str, Any], now: int
) -> None:
    columns = [name for name in values if name != "uid"]
    log.append(
        connection,
        kind=kind,
        subject_key=log_key,
        record=log.row_record(values, columns),
        ref=(ref, values["uid"]),
        now=now,
    )
