"""What pages and papers say of requests, for residents and staff alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable

    from consent.rules import Right
    from idp.settings import Settings

_DAY, _YEAR = 86_400, 365

_KINDS = {
    "access": _("A copy of everything held"),
    "rectification": _("Something to be corrected"),
    "erasure": _("Everything to be erased"),
    "restriction": _("A service to be stopped"),
    "portability": _("Data to take elsewhere"),
    "objection": _("An objection"),
}
_STATES = {
    "initiated": _("Sent"),
    "acknowledged": _("Received"),
    "accepted": _("Being worked on"),
    "requires_action": _("Waits for an answer from whoever asked"),
    "required_action_performed": _("Answer received"),
    "action_delayed": _("Takes longer"),
    "fulfilled": _("Done"),
    "rejected": _("Refused"),
    "unfulfilled": _("Withdrawn"),
}
_RIGHTS = {
    "access": _("Get a copy of your data"),
    "rectification": _("Have it corrected"),
    "erasure": _("Have it erased"),
    "restriction": _("Have it stopped for a while"),
    "portability": _("Take it elsewhere"),
    "objection": _("Object"),
    "withdrawal": _("Stop sharing"),
}
_CONDITIONS = {
    "when_no_longer_needed": _("once it is no longer needed"),
    "unless_needed_for_the_task": _("unless it is needed for a task of the town"),
}
_ATTRIBUTES = {
    "given_name": _("First name"),
    "middle_name": _("Middle name"),
    "family_name": _("Family name"),
    "nickname": _("Nickname"),
    "birthdate": _("Date of birth"),
    "gender": _("Gender"),
    "address": _("Postal address"),
    "district": _("District"),
}
_COLUMNS = {
    "name": _("Name"),
    "value": _("Value"),
    "source": _("Where it comes from"),
    "verified_at": _("Confirmed"),
    "changed_at": _("Changed"),
    "created_at": _("Begun"),
    "began_at": _("Begun"),
    "ended_at": _("Ended"),
    "expires_at": _("Ends"),
    "seen_at": _("Last used"),
    "used_at": _("Last used"),
    "at": _("When"),
    "kind": _("Kind"),
    "state": _("State"),
    "language": _("Language"),
    "device": _("Device"),
    "label": _("Device"),
    "place": _("Place"),
    "client_id": _("Service"),
    "purpose_id": _("Purpose"),
    "purpose_ids": _("Purposes"),
    "event": _("What happened"),
    "claims": _("Data"),
    "claims_offered": _("Data asked for"),
    "claims_chosen": _("Data agreed to"),
    "reason": _("Reason"),
    "staff_role": _("Role"),
    "actor": _("Who did it"),
    "details": _("Details"),
    "content": _("Content"),
    "channel": _("Way"),
    "subject": _("Name by which the service knows you"),
    "authentication": _("How you had signed in"),
    "wish": _("What you asked"),
    "said": _("What was said"),
    "reference": _("Number"),
}


def kind_text(kind: str) -> str:
    """Which right is used."""
    return str(_KINDS[kind])


def service_text(client_id: str, name_of: Callable[[str], str]) -> str:
    """What a service is called; the empty one is every service."""
    return name_of(client_id) if client_id else str(gettext("Every service"))


def about_text(kind: str, about: str, name_of: Callable[[str], str]) -> str:
    """What a request is about: an entry on file, or a service; empty where it is everything."""
    if kind == "rectification":
        return attribute_text(about)
    if kind in ("restriction", "objection"):
        return service_text(about, name_of)
    return ""


def state_text(state: str, *, own: bool = False) -> str:
    """Where a request stands; `own`: it is the resident who reads."""
    if own and state == "requires_action":
        return str(gettext("Waits for your answer"))
    return str(_STATES[state])


def state_colour(state: str) -> str:
    """The colour of its tag."""
    return {"fulfilled": "success", "rejected": "danger", "requires_action": "warning"}.get(state, "neutral")


def right_text(right: Right) -> str:
    """A right that a basis gives, with its condition."""
    text = str(_RIGHTS[right.name])
    if not right.condition:
        return text
    return str(gettext("%(right)s (%(condition)s)", right=text, condition=str(_CONDITIONS[right.condition])))


def attribute_text(name: str) -> str:
    """What an attribute is called."""
    return str(_ATTRIBUTES.get(name, name))


def column_text(name: str) -> str:
    """What a column of the copy is called; the word of the database where nobody gave it another."""
    return str(_COLUMNS.get(name) or name.removesuffix("_at").replace("_", " "))


def actor_text(actor: str, *, own: bool) -> str:
    """Who did something: the resident (`own`: it is they who read), the town by itself, or its staff."""
    if actor == "self":
        return str(gettext("You")) if own else str(gettext("The resident"))
    return str(gettext("The town"))


def remains(settings: Settings) -> list[dict[str, Any]]:
    """What outlives an erasure: what it is, why it is kept, and until when, in words."""
    kept = settings.retention
    return [
        {
            "what": gettext("The record of what you agreed to and of what was passed on"),
            "why": gettext(
                "The town must be able to prove that nobody changed it. It stays as numbers that nobody can read, "
                "because the key to them is destroyed."
            ),
            "until": gettext("It stays for good."),
        },
        {
            "what": gettext("That this request was made, and what was decided"),
            "why": gettext(
                "The town must be able to prove that it answered. What was written in it cannot be read."
            ),
            "until": _stays(kept.requests_for),
        },
        {
            "what": gettext("Copies of the whole database, for accidents"),
            "why": gettext("They are overwritten one after the other, and used for nothing else."),
            "until": _stays(kept.backups_for),
        },
        *({"what": one.what, "why": one.reason, "until": _stays(one.keep_for)} for one in kept.kept),
    ]


def _stays(seconds: int) -> str:
    days = seconds // _DAY
    if not days:
        return str(gettext("It does not stay at all."))
    if days % _YEAR == 0:
        return str(ngettext("It stays for %(num)s year.", "It stays for %(num)s years.", days // _YEAR))
    return str(ngettext("It stays for %(num)s day.", "It stays for %(num)s days.", days))
