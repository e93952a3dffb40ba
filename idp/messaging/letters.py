"""Letters for the printer: all that wait become one PDF with a number, and are marked as sent in one transaction.

A run that ended halfway is made again by the next one: same number, same letters, same file. Only the last step
marks them, so no letter is lost, and a file that was written twice bears the same number twice.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import delete, insert, select, update

from idp import paper
from idp.messaging.models import Batch, Message
from idp.messaging.ports import ports
from idp.messaging.service import open_message
from idp.messaging.texts import direction_of, write_label, write_letter
from idp.web.locales import day_in
from keys.envelope import SealBroken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from idp.paper import Printed
    from idp.settings import Settings
    from idp.web.context import Context

log = logging.getLogger("denizen.messaging")

#: So many letters become one file; more wait for the next run.
MOST = 2000


@dataclass(frozen=True, slots=True)
class Made:
    """What a run made. `is_again`: the number was begun by an earlier run, whose file may be printed already.

    `listed` is what the manifest says of each letter: id, message, language, first_page, pages.
    """

    number: int
    letters: int
    pages: int
    pdf: Path
    manifest: Path
    is_again: bool
    listed: tuple[dict[str, Any], ...]


def make_batch(context: Context, folder: Path, *, now: int) -> Made | None:
    """Write every letter that waits into `folder`, as `letters-NUMBER.pdf` and `.json`; None when none waits.

    Raises:
        idp.paper.PaperProblem: when no letter can be printed; they wait on.
        OSError: when the folder cannot be written to.
    """
    with context.database.reading() as session:
        if not _has_work(session, now=now):
            return None
    with context.database.transaction() as session:
        number, is_again = _begin(session, now=now)
        letters = _letters(session, context, number, now=now)
        if not letters:
            session.execute(delete(Batch).where(Batch.number == number, Batch.finished_at.is_(None)))
            return None
    pages = _written(context, letters, now=now)
    printable, made = _printed(context, letters, pages, now=now)
    first_page, last_page = _page_numbers(made)
    pdf, manifest = (folder / f"letters-{number:06d}.{ending}" for ending in ("pdf", "json"))
    told = [
        {
            "id": letter.id,
            "message": letter.name,
            "language": letter.language,
            "first_page": first_page[letter.id],
            "pages": last_page[letter.id] - first_page[letter.id] + 1,
        }
        for letter in printable
    ]
    digest = hashlib.sha256(made.pdf).hexdigest()
    total = max(last_page.values())
    _keep(pdf, made.pdf)
    _keep(
        manifest,
        orjson.dumps(
            {
                "batch": number,
                "made_at": now,
                "file": pdf.name,
                "sha256": digest,
                "pages": total,
                "letters": told,
            },
            option=orjson.OPT_INDENT_2,
        ),
    )
    _finish(context, number, [letter.id for letter in printable], now=now)
    return Made(number, len(printable), total, pdf, manifest, is_again, tuple(told))


def _has_work(session: Session, *, now: int) -> bool:
    """Whether a letter waits, or a run ended halfway. Looking writes nothing."""
    unfinished = select(Batch.number).where(Batch.finished_at.is_(None)).limit(1)
    return (
        session.execute(_waiting(now).limit(1)).first() is not None
        or session.execute(unfinished).first() is not None
    )


def _waiting(now: int) -> Any:
    return select(Message.id).where(
        Message.channel == "letter",
        Message.state == "waiting",
        Message.due_at <= now,
        Message.batch.is_(None),
    )


def _begin(session: Session, *, now: int) -> tuple[int, bool]:
    """The number of a run that ended halfway, or a new one that takes every letter that waits."""
    unfinished = session.execute(
        select(Batch.number).where(Batch.finished_at.is_(None)).order_by(Batch.number).limit(1)
    ).scalar_one_or_none()
    if unfinished is not None:
        return unfinished, True
    number: int = session.execute(
        insert(Batch).values(created_at=now, finished_at=None, letters=0).returning(Batch.number)
    ).scalar_one()
    waiting = _waiting(now).order_by(Message.created_at, Message.id).limit(MOST)
    session.execute(
        update(Message)
        .where(Message.id.in_(waiting), Message.batch.is_(None))
        .values(batch=number, attempts=Message.attempts + 1),
        execution_options={"synchronize_session": False},
    )
    return number, False


def _letters(session: Session, context: Context, number: int, *, now: int) -> list[Message]:
    """The letters of a run that may be printed: neither out of date nor to a protected address."""
    found = session.execute(
        select(Message)
        .where(Message.batch == number, Message.state == "waiting")
        .order_by(Message.created_at, Message.id)
    ).scalars()
    may_print = ports(context.vault).may_print
    kept = []
    for letter in found.all():
        if letter.expires_at <= now:
            _end(session, letter, "expired", "", now=now)
        elif letter.resident_id is not None and not may_print(session, letter.resident_id):
            _end(session, letter, "withheld", "protected address", now=now)
        else:
            kept.append(letter)
    return kept


def _written(context: Context, letters: Sequence[Message], *, now: int) -> dict[str, dict[str, Any]]:
    """Each letter as the layout takes it, by id; one that cannot be opened is dead."""
    found = {}
    for letter in letters:
        try:
            found[letter.id] = _laid_out(context, letter, now=now)
        except SealBroken:
            _give_up(context, letter, "unreadable", now=now)
        except Exception as error:
            log.exception("letter failed id=%s name=%s", letter.id, letter.name)
            _give_up(context, letter, type(error).__name__, now=now)
    return found


def _laid_out(context: Context, letter: Message, *, now: int) -> dict[str, Any]:
    settings, language = context.settings, letter.language
    content = open_message(context.vault, letter)
    text = write_letter(settings, letter.name, language, content.values)
    return {
        "id": letter.id,
        "lang": language,
        "dir": direction_of(language),
        "address": [content.to["name"], *content.to["lines"]],
        "date": day_in(language, now, settings.town.time_zone),
        "subject": text.subject,
        "page": write_label("page", language),
        "parts": [_part(paragraph, content.values, language) for paragraph in text.paragraphs],
    }


def _part(paragraph: str, values: dict[str, Any], language: str) -> dict[str, Any]:
    if paragraph == values.get("code"):
        return {"kind": "code", "text": paragraph}
    if paragraph in (values.get("link"), values.get("not_me_url")):
        alt = write_label("qr", language)
        return {"kind": "link", "text": paragraph, "qr": paper.qr_svg(paragraph), "alt": alt}
    return {"kind": "text", "text": paragraph}


def _printed(
    context: Context, letters: Sequence[Message], pages: dict[str, dict[str, Any]], *, now: int
) -> tuple[list[Message], Printed]:
    """The letters that can be printed, and their PDF. One that cannot (no font for its script) stops no other."""
    printable = [letter for letter in letters if letter.id in pages]
    try:
        return printable, _pdf(context.settings, [pages[letter.id] for letter in printable], now=now)
    except paper.PaperProblem as problem:
        good = [letter for letter in printable if _is_printable(context.settings, pages[letter.id], now=now)]
        if not good:
            raise
        for letter in printable:
            if letter not in good:
                _give_up(context, letter, f"paper: {problem}", now=now)
        return good, _pdf(context.settings, [pages[letter.id] for letter in good], now=now)


def _is_printable(settings: Settings, page: dict[str, Any], *, now: int) -> bool:
    try:
        _pdf(settings, [page], now=now)
    except paper.PaperProblem:
        return False
    return True


def _pdf(settings: Settings, pages: list[dict[str, Any]], *, now: int) -> Printed:
    if not pages:
        raise paper.PaperProblem("none of the letters can be read")
    town, rules = settings.town, settings.letters
    data = {
        "title": town.name,
        "town": town.name,
        "font": rules.font,
        "sender": rules.sender or town.name,
        "crest": paper.crest_of(rules),
        "window": rules.window,
        "marks": rules.fold_marks,
        "letters": pages,
    }
    return paper.printed("letter", data, town.languages[0], now=now, fonts=rules.font_folder)


def _page_numbers(made: Printed) -> tuple[dict[str, int], dict[str, int]]:
    first = {mark["id"]: mark["first"] for mark in made.marks if "first" in mark}
    return first, {mark["id"]: mark["last"] for mark in made.marks if "last" in mark}


def _keep(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, all or nothing, and on the disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _finish(context: Context, number: int, ids: list[str], *, now: int) -> None:
    """Mark every letter, each by a conditional write, and the batch: all of it or nothing."""
    with context.database.transaction() as session:
        marked = sum(
            session.execute(
                update(Message)
                .where(Message.id == letter_id, Message.state == "waiting", Message.batch == number)
                .values(state="sent", content=None, trouble="", finished_at=now)
                .returning(Message.id)
            ).first()
            is not None
            for letter_id in ids
        )
        session.execute(
            update(Batch)
            .where(Batch.number == number, Batch.finished_at.is_(None))
            .values(finished_at=now, letters=marked)
        )
    log.info("letters printed batch=%d letters=%d", number, marked)


def _give_up(context: Context, letter: Message, cause: str, *, now: int) -> None:
    with context.database.transaction() as session:
        _end(session, letter, "dead", cause, now=now)
    log.error("message given up channel=letter name=%s id=%s cause=%s", letter.name, letter.id, cause)


def _end(session: Any, letter: Message, state: str, trouble: str, *, now: int) -> None:
    """Take a letter out of its batch; a dead one keeps its content, so that it can be tried again."""
    values = {"state": state, "trouble": trouble[:60], "finished_at": now, "batch": None}
    if state != "dead":
        values["content"] = None
    session.execute(
        update(Message).where(Message.id == letter.id, Message.state == "waiting").values(**values)
    )
