"""Recoveries from the asking on: rows of ours, bound to one browser, each step one conditional write (K22, K27)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import case as when
from sqlalchemy import exists, insert, or_, select, update

from idp.accounts.models import ContactPoint, Resident
from idp.recovery.codes import TRIES, derived, is_same, keyed_hash
from idp.recovery.models import Case, Token
from idp.recovery.rules import Proved
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.settings import Settings
    from keys.envelope import Vault

#: How long a recovery waits for its next step, and a link works, in seconds (K22).
STEP_FOR = 3600
#: A text message is faster to arrive, and easier to take (NIST SP 800-63B-4 §3.1.3.3).
SMS_FOR = 600
#: How long a recovery waits for somebody trusted, beside the delay itself.
HELPER_FOR = 30 * 86_400
#: What a name may be long; whatever is longer is nobody's.
NAME_LIMIT = 254
CONTEXT = "recovery_case.name"
_LIVE = ("asked", "open")
#: Something can be proved in it.
_GOES_ON = (Case.state == "open", Case.resident_id.is_not(None))


@dataclass(frozen=True, slots=True)
class Underway:
    """A recovery as its row says.

    `resident_id` is None until something was proved: before, whoever is meant, its pages say and do the same (K23).
    """

    id: str
    handle: str
    wish: str
    flow: str
    state: str
    resident_id: str | None
    helper_id: str | None
    proved: Proved
    created_at: int
    expires_at: int


def wait_of(settings: Settings, wish: str) -> int:
    """How long a recovery waits, in seconds: what was wished decides, never who is meant or what was sent (K23)."""
    limits = settings.accounts
    waits = {"letter": limits.letter_code_for, "helper": HELPER_FOR + limits.recovery_wait_for}
    return waits.get(wish, STEP_FOR)


def ask(
    session: Session,
    settings: Settings,
    vault: Vault,
    *,
    name: str,
    wish: str,
    flow: str,
    browser: str,
    device: str | None,
    now: int,
) -> str:
    """Keep what somebody asked for, and return the handle. Whose account it is, if anybody's, is looked up later by a job (K23).

    So the answer takes as long, and says as much, whoever is named. `device` is the cookie of this browser as a known
    one; only its hash is kept, with the name, until the job has asked whose it is.
    """
    case_id, handle = secrets.token_urlsafe(16), new_secret()
    name = name.strip()
    if len(name) > NAME_LIMIT or "\n" in name:
        name = ""  # cut short, it would be another name (K24)
    asked = f"{name}\n{digest(device or '').hex()}"
    with_helper = wish == "helper"
    compare, return_code = derived(vault, handle)
    session.execute(
        insert(Case).values(
            id=case_id,
            handle_hash=digest(handle),
            browser_hash=digest(browser),
            return_hash=digest(return_code) if with_helper else None,
            name=vault.service_data_key("recovery").seal(asked, f"{CONTEXT} {case_id}"),
            wish=wish,
            flow=flow[:VALUE_LENGTH],
            state="asked",
            resident_id=None,
            compare_hash=keyed_hash(vault, "compare", case_id, compare) if with_helper else None,
            compare_tries=0,
            helper_id=None,
            mail_at=None,
            phone_at=None,
            second_at=None,
            letter_at=None,
            ripe_at=None,
            created_at=now,
            expires_at=now + wait_of(settings, wish),
            ended_at=None,
        )
    )
    return handle


def find(session: Session, unverified_handle: str, *, browser: str, now: int) -> Underway | None:
    """The recovery behind a handle, if it goes on in this very browser and has neither ended nor expired."""
    if len(unverified_handle) != VALUE_LENGTH:
        return None
    row = session.execute(
        select(Case).where(
            Case.handle_hash == digest(unverified_handle),
            Case.browser_hash == digest(browser),
            Case.state.in_(_LIVE),
            Case.expires_at > now,
        )
    ).scalar_one_or_none()
    return None if row is None else _underway(row, unverified_handle)


def _underway(row: Case, handle: str) -> Underway:
    proved = _proved(row)
    return Underway(
        row.id,
        handle,
        row.wish,
        row.flow,
        row.state,
        row.resident_id if proved.is_begun else None,
        row.helper_id,
        proved,
        row.created_at,
        row.expires_at,
    )


def _proved(row: Case) -> Proved:
    return Proved(row.mail_at, row.phone_at, row.second_at, row.letter_at, row.ripe_at)


# --- links and codes that were sent ---


def peek_link(session: Session, unverified_link: str, *, now: int) -> str | None:
    """Whose recovery a link belongs to, while it works. Looking spends nothing: mail scanners look, too."""
    if len(unverified_link) != VALUE_LENGTH:
        return None
    found: str | None = session.execute(
        select(Token.resident_id).where(Token.token_hash == digest(unverified_link), *_works(now))
    ).scalar_one_or_none()
    return found


def spend_link(session: Session, unverified_link: str, *, browser: str, now: int) -> str | None:
    """Spend a link and go on in this browser, under a new handle; None when it works no more."""
    return _spend(session, Token.token_hash == digest(unverified_link), browser=browser, now=now)


def try_digits(session: Session, vault: Vault, case: Underway, unverified_digits: str, *, now: int) -> bool:
    """Whether these digits were sent for this recovery. Each try is counted before the digits are looked at (K26).

    The caller commits either way.
    """
    _hold(session, Token.case_id == case.id)
    tried = session.execute(
        update(Token)
        .where(Token.case_id == case.id, Token.kind != "letter", Token.tries < TRIES, *_works(now))
        .values(tries=Token.tries + 1)
        .returning(Token.token_hash, Token.code_hash)
        .execution_options(synchronize_session=False)
    ).all()
    typed = keyed_hash(vault, "message", case.id, unverified_digits)
    right = [row.token_hash for row in tried if is_same(row.code_hash, typed)]
    return bool(right) and _spend(session, Token.token_hash == right[0], browser=None, now=now) is not None


def spend_letter(session: Session, tidy_code: str, *, browser: str, now: int) -> str | None:
    """Spend the code of a letter and go on in this browser, under a new handle; None when it works no more."""
    return _spend(
        session, Token.token_hash == digest(tidy_code), Token.kind == "letter", browser=browser, now=now
    )


def _hold(session: Session, *which: Any) -> None:
    """Lock whose tokens these are before anything of theirs: what ends a recovery goes that way, too."""
    whose = select(Token.resident_id).where(*which)
    session.execute(select(Resident.id).where(Resident.id.in_(whose)).with_for_update())


def _works(now: int) -> tuple[Any, ...]:
    """A code works until it is spent or expires, while its case goes on and its contact point is still there (K22)."""
    is_there = exists().where(ContactPoint.id == Token.contact_id, ContactPoint.verified_at.is_not(None))
    return (
        Token.spent_at.is_(None),
        Token.expires_at > now,
        exists().where(Case.id == Token.case_id, *_GOES_ON, Case.expires_at > now),
        or_(Token.contact_id.is_(None), is_there),
    )


def _spend(session: Session, *conditions: Any, browser: str | None, now: int) -> str | None:
    """One conditional write spends the token; then its case has its proof, and with a browser moves there."""
    _hold(session, *conditions)
    spent = session.execute(
        update(Token)
        .where(*conditions, *_works(now))
        .values(spent_at=now)
        .returning(Token.case_id, Token.kind)
        .execution_options(synchronize_session=False)
    ).first()
    if spent is None:
        return None
    case = session.execute(
        select(Case).where(Case.id == spent.case_id, *_GOES_ON).with_for_update()
    ).scalar_one_or_none()
    if case is None:
        return None
    handle = new_secret()
    if browser is not None:
        _move(session, case, handle, browser)
    setattr(case, f"{spent.kind}_at", now)
    case.expires_at = max(case.expires_at, now + STEP_FOR)
    return handle


def _move(session: Session, case: Case, handle: str, browser: str) -> None:
    """Have a case go on in this browser. Another one that proved nothing keeps the page it had (K23)."""
    former, here = (case.handle_hash, case.browser_hash), digest(browser)
    case.handle_hash, case.browser_hash = digest(handle), here
    if not _proved(case).is_begun and former[1] != here:
        session.flush()
        session.add(like(case, *former))


def like(case: Case, handle_hash: bytes, browser_hash: bytes) -> Case:
    """One more case that looks like another, of nobody as yet."""
    return Case(
        id=secrets.token_urlsafe(16),
        handle_hash=handle_hash,
        browser_hash=browser_hash,
        return_hash=None,
        name=None,
        wish=case.wish,
        flow="",
        state="open",
        compare_hash=None,
        compare_tries=0,
        helper_id=None,
        created_at=case.created_at,
        expires_at=case.expires_at,
    )


def _later(instant: int) -> Any:
    """A recovery never ends earlier than it would have."""
    return when((Case.expires_at > instant, Case.expires_at), else_=instant)


def come_back(session: Session, tidy_code: str, *, browser: str, now: int) -> str | None:
    """Go on in another browser with the code that was shown when help was asked for; the new handle."""
    handle = new_secret()
    moved = session.execute(
        update(Case)
        .where(Case.return_hash == digest(tidy_code), Case.state.in_(_LIVE), Case.expires_at > now)
        .values(handle_hash=digest(handle), browser_hash=digest(browser))
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    return handle if moved is not None else None


def prolong(session: Session, case: Underway, settings: Settings, wish: str, *, now: int) -> None:
    """Have a recovery under way wait for what was wished as well."""
    session.execute(
        update(Case)
        .where(Case.id == case.id, Case.state == "open")
        .values(expires_at=_later(now + wait_of(settings, wish)))
        .execution_options(synchronize_session=False)
    )


def open_to_helpers(session: Session, vault: Vault, case: Underway) -> None:
    """Give a recovery under way the digits to be compared and the code to come back with, which its page shows."""
    compare, return_code = derived(vault, case.handle)
    session.execute(
        update(Case)
        .where(Case.id == case.id, Case.state == "open", Case.ripe_at.is_(None))
        .values(
            compare_hash=keyed_hash(vault, "compare", case.id, compare),
            return_hash=digest(return_code),
        )
        .execution_options(synchronize_session=False)
    )


def has_return_code(session: Session, case: Underway, code: str) -> bool:
    """Whether this is the code to come back with: so whoever asked sees it again, and no other browser does."""
    found = select(Case.id).where(Case.id == case.id, Case.return_hash == digest(code))
    return session.execute(found).first() is not None


def note_second(session: Session, case: Underway, *, now: int) -> bool:
    """Note that an enrolled second factor was proved in this recovery."""
    noted = session.execute(
        update(Case)
        .where(Case.id == case.id, Case.state == "open", Case.second_at.is_(None))
        .values(second_at=now, expires_at=_later(now + STEP_FOR))
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    return noted is not None


def owner(session: Session, case: Underway) -> Resident | None:
    """The resident who is recovered, while that is possible: a closed account stays closed."""
    resident = session.get(Resident, case.resident_id) if case.resident_id else None
    if resident is None or resident.state == "closed" or resident.data_key is None:
        return None
    return resident
