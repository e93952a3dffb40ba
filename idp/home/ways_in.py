"""`/account/sign-in`: every way in that a resident has, when it was added and used, and where each is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template, request
from flask_babel import gettext

from idp.accounts.models import Resident
from idp.login import passkeys
from idp.login.cards import service as cards
from idp.login.codes import service as codes
from idp.login.current import for_residents
from idp.login.levels import Method
from idp.login.otp import service as otp
from idp.login.passwords import changed_at
from idp.login.ports import ports
from idp.login.recovery_codes import service as recovery_codes
from idp.login.upstream.account_views import connected
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.sessions import SignedIn
    from idp.login.ways import Found

bp = Blueprint("ways_in", __name__)


@bp.get("/account/sign-in")
@for_residents
def show(session: SignedIn) -> str:
    """List them."""
    ctx = context()
    with ctx.database.reading() as reading:
        found = ports().ways.of(reading, session.resident_id)
        resident = reading.get_one(Resident, session.resident_id)
        told = _told(reading, resident, found)
    return render_template(
        "ui/ways_in.html",
        offers_passkeys=bool(ctx.settings.passkey_domain) and not session.is_shared,
        is_second_owed=bool(found.owed),
        done=_done(request.args.get("done", "")),
        **told,
    )


def _told(reading: Session, resident: Resident, found: Found) -> dict[str, Any]:
    """What the page says of each way."""
    ctx = context()
    data_key = ctx.vault.open_data_key(resident.data_key) if resident.data_key else None
    card = cards.live(reading, resident.id)
    left, made_at = recovery_codes.left(reading, resident.id)
    return {
        "passkeys": passkeys.listed(reading, ctx, resident.id),
        "password_changed_at": changed_at(reading, resident.id),
        "apps": otp.listed(reading, data_key, resident.id) if data_key else [],
        "codes": _code_choices(reading, resident.id, found),
        "codes_left": left,
        "codes_made_at": made_at,
        "card": card,
        "paper_codes_left": cards.codes_left(reading, card.id) if card else 0,
        "providers": connected(reading, resident.id),
    }


def _code_choices(reading: Session, resident_id: str, found: Found) -> list[tuple[str, str]]:
    """For each channel that reaches the resident what its codes are good for: (channel, choice)."""
    chosen = codes.choices(reading, resident_id)
    return [
        (channel, chosen.get(channel, "alone" if method in found.alone else "after"))
        for channel, method in (("email", Method.EMAIL_CODE), ("sms", Method.SMS_CODE))
        if method in found.enrolled
    ]


def _done(unverified_done: str) -> str:
    """What has just been done on another page, in words."""
    texts: dict[str, str] = {
        "passkey-added": gettext("The passkey is added. You can sign in with it from now on."),
        "passkey-renamed": gettext("The passkey has its new name."),
        "passkey-removed": gettext("The passkey is removed. It no longer opens your account."),
        "password-changed": gettext("Your password is changed. You are signed out everywhere but here."),
        "password-removed": gettext("Your password is removed. It no longer opens your account."),
        "app-added": gettext("The app is set up. From now on we ask for its code after your password."),
        "app-renamed": gettext("The app has its new name."),
        "app-removed": gettext("The app is removed. Its codes work no more."),
        "codes-changed": gettext("Your choice about codes is saved."),
    }
    return texts.get(unverified_done, "")
