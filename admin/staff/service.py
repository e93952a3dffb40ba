"""Staff accounts: making, finding, switching off, and signing in with password and code."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import pyotp
from sqlalchemy import bindparam, select, update

from admin.models import Staff
from admin.staff import sessions
from admin.staff.rules import CODE_FAILURES, ROLES, matching_step
from consent import acts
from idp.accounts.rules import normal_username
from idp.login import budgets, devices
from idp.login.budgets import Guess
from idp.login.rules import network_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.passwords import Passwords
    from idp.web.context import Context
    from keys.envelope import SealedBytes, Vault

log = logging.getLogger("denizen.staff")

#: 160 bits in base32 (RFC 4226 §4, R6).
_SECRET_LENGTH = 32

#: One write decides: a time step counts once, and no earlier one counts after it (K25).
_SPEND_STEP = (
    update(Staff)
    .where(
        Staff.id == bindparam("staff_id"),
        Staff.totp_step < bindparam("step"),
        # The one that was checked: a reset has ended every session, and none may begin beside it.
        Staff.password_hash == bindparam("kept"),
        Staff.disabled_at.is_(None),
    )
    .values(totp_step=bindparam("step"), code_failures=0)
    .returning(Staff.id)
    .execution_options(synchronize_session=False)
)
_COUNT_CODE = (
    update(Staff)
    .where(Staff.id == bindparam("staff_id"), Staff.code_failures < CODE_FAILURES)
    .values(code_failures=Staff.code_failures + 1)
    .returning(Staff.id)
    .execution_options(synchronize_session=False)
)


class StaffRefused(Exception):
    """The account cannot be made; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Success:
    """The cookie values of the new session, and of the device from now on."""

    cookie_value: str
    device_cookie: str


class Failure(Enum):
    """Why nobody was signed in."""

    WRONG = "wrong"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was typed, from where, and the cookie by which the device is known."""

    unverified_username: str
    unverified_password: str
    unverified_code: str
    source: str
    device_cookie: str | None = None

    @property
    def name(self) -> str:
        """The typed name as budgets know it."""
        return self.unverified_username.strip().casefold()


def add_staff(
    session: Session, vault: Vault, passwords: Passwords, *, username: str, role: str, password: str, now: int
) -> str:
    """Make an account; its TOTP secret in base32 (160 bits), which is never shown again.

    Raises:
        StaffRefused: for an unknown role, or a name that is badly formed or taken.
    """
    name = normal_username(username)
    if name is None:
        raise StaffRefused("use 3 to 40 letters (a to z), digits, dots or dashes in the user name")
    if role not in ROLES:
        raise StaffRefused(f"the role must be one of {', '.join(ROLES)}")
    if find_staff(session, name) is not None:
        raise StaffRefused(f"there is a {name} already")
    staff_id = secrets.token_urlsafe(16)
    secret, sealed = _new_secret(vault, staff_id)
    session.add(
        Staff(
            id=staff_id,
            username=name,
            role=role,
            password_hash=passwords.hash(password),
            totp_secret=sealed,
            totp_step=0,
            code_failures=0,
            created_at=now,
            disabled_at=None,
        )
    )
    session.flush()
    _record(session, vault, "staff_added", staff_id, role, now=now)
    return secret


def find_staff(session: Session, unverified_username: str) -> Staff | None:
    """The account of this name, switched off or not."""
    name = normal_username(unverified_username) or ""
    return session.execute(select(Staff).where(Staff.username == name)).scalar_one_or_none()


def list_staff(session: Session) -> list[Staff]:
    """Every account by name."""
    return list(session.execute(select(Staff).order_by(Staff.username)).scalars())


def disable_staff(session: Session, vault: Vault, username: str, *, now: int) -> bool:
    """Switch an account off and end its sessions; False when there is no such live account."""
    staff = find_staff(session, username)
    if staff is None or staff.disabled_at is not None:
        return False
    staff.disabled_at = now
    session.flush()
    sessions.end_all(session, staff.id, now=now)
    _record(session, vault, "staff_disabled", staff.id, staff.role, now=now)
    return True


def reset_staff(
    session: Session, vault: Vault, passwords: Passwords, *, username: str, password: str, now: int
) -> str | None:
    """Give an account a new password and TOTP secret (returned) and end its sessions; None without a live one."""
    staff = find_staff(session, username)
    if staff is None or staff.disabled_at is not None:
        return None
    secret, staff.totp_secret = _new_secret(vault, staff.id)
    staff.password_hash = passwords.hash(password)
    staff.code_failures = 0
    session.flush()
    for kind in ("staff-password", "staff-code"):
        budgets.restore(session, vault, kind, staff.id)
    devices.forget_all(session, staff.id)
    sessions.end_all(session, staff.id, now=now)
    _record(session, vault, "staff_reset", staff.id, staff.role, now=now)
    return secret


def sign_in(ctx: Context, passwords: Passwords, attempt: Attempt, *, now: int) -> Success | Failure:
    """Check password and code, and begin a session: its cookie value, or why not.

    Every guess is counted and committed before it is looked at (K26). Whatever was wrong, the same writes
    are made and the same password work is done, so that neither names nor passwords can be told apart.

    Raises:
        idp.login.admission.Busy: when too many passwords are being checked; nothing was counted then.
    """
    with passwords.admission.place():
        with ctx.database.reading() as session:
            found = find_staff(session, attempt.unverified_username)
            device = devices.known(session, attempt.device_cookie, found.id if found else None, now=now)
        password = _guess("staff-password", found, attempt, device)
        if not budgets.spend(ctx, password, now=now):
            return Failure.THROTTLED
        kept = found.password_hash if found else None
        is_right = passwords.is_right(kept, attempt.unverified_password)
        staff = found if found is not None and is_right and found.disabled_at is None else None
        code = _guess("staff-code", staff, attempt, device if staff else None)
        may_try = _may_try_code(ctx, staff, code, now=now)
        step = _proved_step(ctx.vault, staff, attempt, now=now) if staff and may_try else None
        if staff is None or step is None:
            log.info("sign-in refused staff=%s", found.id if found else "-")
            return Failure.WRONG
        is_outdated = passwords.is_outdated(staff.password_hash)
        renewed = passwords.hash(attempt.unverified_password) if is_outdated else None
    proved = _Proved(staff, step, renewed, (password, code))
    return _begin(ctx, proved, attempt, now=now)


@dataclass(frozen=True, slots=True, repr=False)
class _Proved:
    """Whose password and code were right, the step of the code, and the password's hash at today's cost, if it changed."""

    staff: Staff
    step: int
    renewed: str | None
    guesses: tuple[Guess, ...]


def _begin(ctx: Context, proved: _Proved, attempt: Attempt, *, now: int) -> Success | Failure:
    staff = proved.staff
    with ctx.database.transaction() as session:
        proof = {"staff_id": staff.id, "step": proved.step, "kept": staff.password_hash}
        spent = session.execute(_SPEND_STEP, proof).first()
        if spent is None:
            log.warning("sign-in refused, code used before, or password reset meanwhile staff=%s", staff.id)
            return Failure.WRONG
        if proved.renewed is not None:
            session.execute(update(Staff).where(Staff.id == staff.id).values(password_hash=proved.renewed))
        for guess in proved.guesses:
            budgets.refund(ctx, guess, now=now, connection=session)
        cookie_value = sessions.begin(session, staff.id, settings=ctx.settings.sessions, now=now)
        device = devices.remember(session, attempt.device_cookie, staff.id, label="staff", now=now)
    log.info("signed in staff=%s role=%s", staff.id, staff.role)
    return Success(cookie_value, device.cookie_value)


def _guess(kind: str, staff: Staff | None, attempt: Attempt, device: str | None) -> Guess:
    return Guess(kind, staff.id if staff else None, attempt.name, network_of(attempt.source), device)


def _may_try_code(ctx: Context, staff: Staff | None, guess: Guess, *, now: int) -> bool:
    """Count one code against the account, whose password is known to whoever tries; nobody else can lock it."""
    has_budget = budgets.spend(ctx, guess, now=now)
    with ctx.database.transaction() as session:
        row = session.execute(_COUNT_CODE, {"staff_id": staff.id if staff else ""}).first()
    if staff is not None and row is None:
        log.warning("too many wrong codes, reset needed staff=%s", staff.id)
    return bool(has_budget) and row is not None


def _proved_step(vault: Vault, staff: Staff, attempt: Attempt, *, now: int) -> int | None:
    secret = vault.service_data_key("staff-totp").open(staff.totp_secret, _seal_context(staff.id))
    return matching_step(secret, attempt.unverified_code, now=now)


def _new_secret(vault: Vault, staff_id: str) -> tuple[str, SealedBytes]:
    secret = pyotp.random_base32(_SECRET_LENGTH)
    return secret, vault.service_data_key("staff-totp").seal(secret, _seal_context(staff_id))


def _seal_context(staff_id: str) -> str:
    return f"admin_staff|totp_secret|{staff_id}"


def _record(session: Session, vault: Vault, kind: str, staff_id: str, role: str, *, now: int) -> None:
    """Who may look at residents' files is an entry of the log, too."""
    acts.record(
        session,
        log_key=vault.subkey("log"),
        kind=kind,
        actor=acts.TOWN,
        details={"staff_id": staff_id, "role": role},
        now=now,
    )
