"""Purposes of clients, and the notices that explain them."""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, insert, select, update

from consent import log, models, rules
from consent.canonical import canonical, names, to_text
from consent.executor import Executor
from consent.log.sources import NOTICE_PUBLISHED, PURPOSE_DECLARED, PURPOSE_END_COLUMNS, PURPOSE_ENDED

_PURPOSE, _NOTICE = models.table(models.Purpose), models.table(models.Notice)
_CLAIM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/#-]{0,99}")
_TEXT: Final = ("title", "why", "retention_text", "recipients")


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why a client may ask, as it stands: with the newest notice version, and the newest material one."""

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

    @property
    def terms(self) -> rules.Terms:
        """What :func:`consent.rules.decide` needs of it."""
        return rules.Terms(
            self.id, self.basis, self.required_claims, self.optional_claims, self.material_version
        )


@dataclass(frozen=True, slots=True)
class NoticeText:
    """The words of a notice in one language."""

    title: str
    why: str
    retention_text: str
    recipients: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A published notice; ``body_hash`` (32 bytes) names exactly these words, version and language."""

    purpose_id: str
    version: int
    language: str
    material: bool
    text: NoticeText
    body_hash: bytes
    published_at: int


_OTHER = _NOTICE.alias()
_NEWEST = select(func.max(_OTHER.c.version))
_OF_PURPOSE = _NEWEST.where(_OTHER.c.purpose_id == _PURPOSE.c.id)
_NOTICE_VERSION = _OF_PURPOSE.scalar_subquery()
_MATERIAL_VERSION = _OF_PURPOSE.where(_OTHER.c.material).scalar_subquery()
_OF_CLIENT = (
    select(
        _PURPOSE,
        _NOTICE_VERSION.label("notice_version"),
        _MATERIAL_VERSION.label("material_version"),
    )
    .where(
        _PURPOSE.c.client_id == bindparam("client_id"),
        _PURPOSE.c.ended_at.is_(None),
        _NOTICE_VERSION.is_not(None),
    )
    .order_by(_PURPOSE.c.created_at, _PURPOSE.c.id)
)
_ALL_NOTICES = (
    select(_NOTICE)
    .where(_NOTICE.c.purpose_id.in_(bindparam("purpose_ids", expanding=True)))
    .order_by(_NOTICE.c.language)
)
_NOTICES_FOR = _ALL_NOTICES.where(
    _NOTICE.c.version == _NEWEST.where(_OTHER.c.purpose_id == _NOTICE.c.purpose_id).scalar_subquery()
)
_NEXT_VERSION = select(func.coalesce(func.max(_NOTICE.c.version), 0) + 1).where(
    _NOTICE.c.purpose_id == bindparam("purpose_id")
)
_BY_HASH = select(_NOTICE).where(_NOTICE.c.body_hash == bindparam("body_hash"))
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
    now: int,
) -> str:
    """Declare why a client asks for claims; the id of the purpose. It can be asked for once it has a notice.

    ``retention_for`` is in seconds; ``log_key`` is the service's. Raises ValueError for an unknown basis, for
    a claim named twice or badly, and for optional claims on another basis than consent: what a person is free
    to leave out rests on consent, so it is a purpose of its own.
    """
    _check_terms(basis, required_claims, optional_claims)
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
    now: int,
) -> tuple[Notice, ...]:
    """Publish a new version of a purpose's notice in every language of ``texts``, for ever unchangeable.

    ``material`` (other purpose, recipients, data, controller, or longer retention) makes residents choose
    again; a wording fix does not. A first version always counts as material. Two publishers at once: the
    second meets the unique version and fails with IntegrityError.
    """
    if not texts:
        raise ValueError("a notice needs words in at least one language")
    version = connection.execute(_NEXT_VERSION, {"purpose_id": purpose_id}).scalar_one()
    published = []
    for language, text in texts.items():
        values = _notice_values(purpose_id, version, language, text, material=material or version == 1)
        values |= {"uid": log.new_uid(now), "published_at": now}
        connection.execute(insert(_NOTICE), values)
        _log(connection, log_key, NOTICE_PUBLISHED, ref=_NOTICE.name, values=values, now=now)
        published.append(_notice(values))
    return tuple(published)


def purposes_for_client(connection: Executor, client_id: str) -> tuple[Purpose, ...]:
    """The purposes a client may ask for today: not ended, and with a notice to show; oldest first."""
    rows = connection.execute(_OF_CLIENT, {"client_id": client_id}).mappings()
    return tuple(
        Purpose(
            **{name: row[name] for name in _PLAIN},
            required_claims=names(row["required_claims"]),
            optional_claims=names(row["optional_claims"]),
        )
        for row in rows
    )


def notices_for(
    connection: Executor, purpose_ids: Iterable[str], language: str, fallback: str
) -> dict[str, Notice]:
    """The newest notice of each purpose: in ``language``, else in ``fallback``, else in the first there is."""
    rows = connection.execute(_NOTICES_FOR, {"purpose_ids": list(purpose_ids)}).mappings()
    return _best(map(_notice, rows), language, fallback)


def notices_at(
    connection: Executor, versions: Mapping[str, int], language: str, fallback: str
) -> dict[str, Notice]:
    """The notice of each purpose in the version given, in the language chosen as by :func:`notices_for`."""
    rows = connection.execute(_ALL_NOTICES, {"purpose_ids": list(versions)}).mappings()
    notices = map(_notice, rows)
    return _best((one for one in notices if one.version == versions[one.purpose_id]), language, fallback)


def notice_by_hash(connection: Executor, body_hash: bytes) -> Notice | None:
    """The exact notice that a record names; None if there is none."""
    row = connection.execute(_BY_HASH, {"body_hash": body_hash}).mappings().first()
    return None if row is None else _notice(row)


_PLAIN: Final = (
    "id",
    "client_id",
    "key",
    "basis",
    "retention_for",
    "minimum_level",
    "subject_sector",
    "notice_version",
    "material_version",
)


def _check_terms(basis: str, required: Sequence[str], optional: Sequence[str]) -> None:
    if basis not in models.BASES:
        raise ValueError(f"{basis!r} is no lawful basis; one of {', '.join(models.BASES)}")
    claims = [*required, *optional]
    if len(set(claims)) != len(claims):
        raise ValueError("a claim is named twice")
    for claim in claims:
        if not _CLAIM_NAME.fullmatch(claim):
            raise ValueError(f"{claim!r} is no name of a claim")
    if optional and basis != rules.CONSENT:
        raise ValueError(f"optional claims rest on consent, not on {basis}: declare a purpose of their own")


def _best(notices: Iterable[Notice], language: str, fallback: str) -> dict[str, Notice]:
    rank = {fallback: 1, language: 2}
    chosen: dict[str, Notice] = {}
    for notice in notices:
        before = chosen.get(notice.purpose_id)
        if before is None or rank.get(notice.language, 0) > rank.get(before.language, 0):
            chosen[notice.purpose_id] = notice
    return chosen


def _notice_values(
    purpose_id: str, version: int, language: str, text: NoticeText, *, material: bool
) -> dict[str, Any]:
    words = {name: getattr(text, name) for name in _TEXT}
    said = {"purpose_id": purpose_id, "version": version, "language": language, **words}
    return {**said, "material": material, "body_hash": hashlib.sha256(canonical(said)).digest()}


def _notice(row: Mapping[str, Any]) -> Notice:
    return Notice(
        row["purpose_id"],
        row["version"],
        row["language"],
        row["material"],
        NoticeText(*(row[name] for name in _TEXT)),
        row["body_hash"],
        row["published_at"],
    )


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
