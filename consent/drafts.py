"""Notices in the making: draft, review, published; or sent back with a remark, or discarded.

What changed since the version in force is worked out, never declared. Whoever changes a draft names the revision they
saw, so that nobody publishes words that they did not read.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import bindparam, exists, func, insert, select, update

from consent import acts, facts, linter, models, purposes, rules, working_models
from consent.canonical import to_text
from consent.linter import Finding
from consent.purposes import NoticeText

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from consent.executor import Executor
    from consent.facts import Asked, Change, Processing
    from consent.purposes import Purpose

_DRAFT, _RECORD = models.table(working_models.Draft), models.table(models.Record)
_PURPOSE = models.table(models.Purpose)
OPEN: Final = ("draft", "review")
_ONE = select(_DRAFT).where(_DRAFT.c.id == bindparam("draft_id"))
_ALL_OPEN = (
    select(_DRAFT).where(_DRAFT.c.state.in_(OPEN)).order_by(_DRAFT.c.state.desc(), _DRAFT.c.changed_at)
)
# Whoever ends the purpose waits for this, and then finds the draft.
_STANDS = (
    select(_PURPOSE.c.id)
    .where(_PURPOSE.c.id == bindparam("purpose_id"), _PURPOSE.c.ended_at.is_(None))
    .with_for_update()
)
_DISCARD_OPEN = (
    update(_DRAFT)
    .where(_DRAFT.c.purpose_id == bindparam("of_purpose"), _DRAFT.c.state.in_(OPEN))
    .values(state="discarded", revision=_DRAFT.c.revision + 1, changed_at=bindparam("at"))
)
_LATER = _RECORD.alias()
_TOUCHED = select(func.count()).where(
    _RECORD.c.purpose_id == bindparam("purpose_id"),
    _RECORD.c.event.in_(rules.IN_FORCE),
    ~exists().where(
        _LATER.c.resident_id == _RECORD.c.resident_id,
        _LATER.c.client_id == _RECORD.c.client_id,
        _LATER.c.purpose_id == _RECORD.c.purpose_id,
        _LATER.c.id > _RECORD.c.id,
        _LATER.c.event.not_in(rules.UNDECIDED),
    ),
)


class DraftChanged(Exception):
    """Somebody else changed it, or it is no draft any more: look at it again."""


class PurposeEnded(Exception):
    """The purpose has ended for good: nothing is drafted or published for it any more."""


class DraftRefused(Exception):
    """The linter refuses it; ``findings`` say why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(one.words for one in findings))
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a draft says. ``material`` is somebody's word that the reason itself is another one."""

    texts: Mapping[str, NoticeText]
    asked: Asked
    processing: Processing = facts.NOTHING_SAID
    material: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as it stands. ``findings`` are what the linter left to the officer when it came to review."""

    id: str
    purpose_id: str
    state: str
    revision: int
    contents: Contents
    findings: tuple[Finding, ...]
    remark: str | None
    changed_at: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publishing made: the version, whether residents choose again, and what changed."""

    version: int
    material: bool
    changes: tuple[Change, ...]


def in_force(connection: Executor, purpose: Purpose) -> Contents:
    """What the notice in force says, as contents for a draft; no words where there is none yet."""
    notices = purposes.newest(connection, purpose.id)
    processing = next((one.processing for one in notices.values()), facts.NOTHING_SAID)
    return Contents({key: one.text for key, one in notices.items()}, purpose.asked, processing)


def begin(
    connection: Executor,
    purpose_id: str,
    contents: Contents,
    *,
    state: str = "draft",
    findings: Sequence[Finding] = (),
    now: int,
) -> str:
    """A new draft for a purpose; its id. A purpose has one open draft at a time: IntegrityError for a second one.

    Raises PurposeEnded.
    """
    if connection.execute(_STANDS, {"purpose_id": purpose_id}).first() is None:
        raise PurposeEnded
    draft_id = secrets.token_urlsafe(16)
    values = {"id": draft_id, "purpose_id": purpose_id, "state": state, "revision": 1, "remark": None}
    values |= _columns(contents, findings) | {"created_at": now, "changed_at": now}
    connection.execute(insert(_DRAFT), values)
    return draft_id


def find(connection: Executor, draft_id: str) -> Draft | None:
    """A draft in whatever state; None if there is none."""
    row = connection.execute(_ONE, {"draft_id": draft_id}).mappings().first()
    return None if row is None else _draft(row)


def open_drafts(connection: Executor) -> list[Draft]:
    """Every draft that is not published or discarded; those in review first, the longest waiting first."""
    return [_draft(row) for row in connection.execute(_ALL_OPEN).mappings()]


def edit(connection: Executor, draft: Draft, contents: Contents, *, now: int) -> None:
    """Say something else; it is a draft again, whatever was reviewed. Raises DraftChanged."""
    values = _columns(contents, ()) | {"state": "draft", "changed_at": now}
    _change(connection, draft, OPEN, values)


def submit(connection: Executor, draft: Draft, *, town_languages: Collection[str], now: int) -> Draft:
    """Hand a draft to the officer: as it stands then. Raises DraftRefused for what nobody can accept, DraftChanged."""
    findings = check(connection, draft, town_languages=town_languages)
    refused = linter.refused(findings)
    if refused:
        raise DraftRefused(refused)
    values = {"state": "review", "findings": _findings_text(findings), "remark": None, "changed_at": now}
    _change(connection, draft, ("draft",), values)
    found = find(connection, draft.id)
    assert found is not None
    return found


def send_back(connection: Executor, draft: Draft, *, remark: str, now: int) -> None:
    """Back to whoever wrote it, with what to mend. Raises DraftChanged."""
    _change(connection, draft, ("review",), {"state": "draft", "remark": remark, "changed_at": now})


def discard(connection: Executor, draft: Draft, *, now: int) -> None:
    """Nothing comes of it. Raises DraftChanged."""
    _change(connection, draft, OPEN, {"state": "discarded", "changed_at": now})


def discard_open(connection: Executor, purpose_id: str, *, now: int) -> bool:
    """Nothing comes of the open draft of a purpose; False if there is none."""
    return bool(connection.execute(_DISCARD_OPEN, {"of_purpose": purpose_id, "at": now}).rowcount)


def check(connection: Executor, draft: Draft, *, town_languages: Collection[str]) -> tuple[Finding, ...]:
    """What the linter says of a draft."""
    purpose = _purpose_of(connection, draft)
    return lint(purpose.basis, purpose.purpose_type, draft.contents, town_languages)


def lint(
    basis: str, purpose_type: str | None, contents: Contents, town_languages: Collection[str]
) -> tuple[Finding, ...]:
    """What the linter says of a notice with these contents, for a purpose on this basis and of this kind."""
    return linter.lint(
        linter.Asking(
            basis,
            purpose_type,
            contents.asked,
            contents.processing,
            tuple(contents.texts),
            town_languages,
        )
    )


def changes(connection: Executor, draft: Draft) -> tuple[Change, ...]:
    """What a draft changes in comparison with the notice in force; nothing where there is none yet."""
    purpose = _purpose_of(connection, draft)
    if not purpose.notice_version:
        return ()
    now_said = in_force(connection, purpose)
    return facts.differences(
        _version(now_said), _version(draft.contents), other_purpose=draft.contents.material
    )


def touched(connection: Executor, purpose_id: str) -> int:
    """How many residents a material change makes choose again, or an end concerns: those whose agreement or notice stands."""
    return int(connection.execute(_TOUCHED, {"purpose_id": purpose_id}).scalar_one())


def publish(
    connection: Executor,
    draft: Draft,
    *,
    log_key: bytes,
    actor: str,
    reason: str,
    town_languages: Collection[str],
    now: int,
) -> Outcome:
    """Publish a draft in review, for ever unchangeable, with an act that says who did and why.

    What the linter left to the officer counts as accepted, and stands in an act of its own. ``log_key`` is the
    service's. Raises PurposeEnded, DraftChanged, DraftRefused, and ValueError without a reason or for terms that make no
    sense.
    """
    if not reason.strip():
        raise ValueError("publishing needs a reason")
    findings = check(connection, draft, town_languages=town_languages)
    if linter.refused(findings):
        raise DraftRefused(linter.refused(findings))
    purpose = _purpose_of(connection, draft)
    purposes.check_asked(purpose.basis, draft.contents.asked)
    changed = changes(connection, draft)
    _change(connection, draft, ("review",), {"state": "published", "changed_at": now})
    published = _notices(connection, draft, changed, log_key, now)
    outcome = Outcome(published.version, published.material, changed)
    act = partial(acts.record, connection, log_key=log_key, actor=actor, client_id=purpose.client_id, now=now)
    said = {"purpose_id": purpose.id, "version": outcome.version, "reason": reason}
    details = {**said, "material": outcome.material, "changes": [one.what for one in changed]}
    act(kind="notice_approved", details=details)
    if findings:
        accepted = [{"code": one.code, "about": list(one.about)} for one in findings]
        act(kind="purpose_exception", details={**said, "accepted": accepted})
    return outcome


def _notices(
    connection: Executor, draft: Draft, changed: Sequence[Change], log_key: bytes, now: int
) -> purposes.Notice:
    contents = draft.contents
    return purposes.publish_notice(
        connection,
        log_key=log_key,
        purpose_id=draft.purpose_id,
        texts=contents.texts,
        material=facts.is_material(changed),
        processing=None if contents.processing == facts.NOTHING_SAID else contents.processing,
        asked=contents.asked,
        changes=changed,
        now=now,
    )[0]


def _purpose_of(connection: Executor, draft: Draft) -> Purpose:
    purpose = purposes.find_purpose(connection, draft.purpose_id)
    if purpose is None:
        raise LookupError(f"no purpose {draft.purpose_id}")
    if purpose.state == "ended":
        raise PurposeEnded
    return purpose


def _version(contents: Contents) -> facts.Version:
    recipients = {key: one.recipients for key, one in contents.texts.items()}
    return facts.Version(contents.asked, contents.processing, recipients)


def _change(connection: Executor, draft: Draft, states: Collection[str], values: Mapping[str, Any]) -> None:
    statement = (
        update(_DRAFT)
        .where(
            _DRAFT.c.id == draft.id, _DRAFT.c.revision == draft.revision, _DRAFT.c.state.in_(tuple(states))
        )
        .values(revision=draft.revision + 1, **values)
    )
    if connection.execute(statement).rowcount != 1:
        raise DraftChanged


def _columns(contents: Contents, findings: Sequence[Finding]) -> dict[str, Any]:
    given = contents.processing != facts.NOTHING_SAID
    return {
        "texts": to_text({key: asdict(one) for key, one in contents.texts.items()}),
        "terms": to_text(facts.to_json(contents.asked)),
        "processing": to_text(facts.to_json(contents.processing)) if given else None,
        "material": contents.material,
        "findings": _findings_text(findings),
    }


def _findings_text(findings: Sequence[Finding]) -> str:
    return to_text([asdict(one) for one in findings])


def _draft(row: Mapping[str, Any]) -> Draft:
    texts = {key: NoticeText(**one) for key, one in orjson.loads(row["texts"]).items()}
    processing = facts.processing_from(None if row["processing"] is None else orjson.loads(row["processing"]))
    contents = Contents(texts, facts.asked_from(orjson.loads(row["terms"])), processing, row["material"])
    findings = tuple(
        Finding(one["code"], one["verdict"], tuple(one["about"])) for one in orjson.loads(row["findings"])
    )
    same = {name: row[name] for name in ("id", "purpose_id", "state", "revision", "remark", "changed_at")}
    return Draft(**same, contents=contents, findings=findings)
