"""Plain words for claims, events, releases and states as staff read them: about a third person, never "you"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from consent import labels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from consent.rules import Choice

_CLAIMS = {
    "name": _("Full name"),
    "given_name": _("First name"),
    "family_name": _("Family name"),
    "middle_name": _("Middle name"),
    "nickname": _("Nickname"),
    "preferred_username": _("User name"),
    "profile": _("Address of the profile page"),
    "picture": _("Picture"),
    "website": _("Website"),
    "email": _("E-mail address"),
    "email_verified": _("Whether the e-mail address is confirmed"),
    "gender": _("Gender"),
    "birthdate": _("Date of birth"),
    "zoneinfo": _("Time zone"),
    "locale": _("Language"),
    "phone_number": _("Phone number"),
    "phone_number_verified": _("Whether the phone number is confirmed"),
    "address": _("Postal address"),
    "updated_at": _("When the details last changed"),
    "resident": _("Whether the person lives here"),
    "district": _("District"),
    "age_over_14": _("Whether over 14"),
    "age_over_16": _("Whether over 16"),
    "age_over_18": _("Whether over 18"),
    "age_over_65": _("Whether over 65"),
    "verified_claims": _("How the identity was checked"),
}
_EVENTS = {
    "requested": _("Asked"),
    "given": _("Agreed"),
    "narrowed": _("Agreed to share less"),
    "refused": _("Refused"),
    "renewed": _("Agreed again"),
    "expired": _("Ran out"),
    "withdrawn": _("Withdrew"),
    "revoked": _("Ended by the town or a representative"),
    "invalidated": _("Ended by an authority"),
    "superseded": _("Replaced by a new notice"),
    "informed": _("Was informed"),
}
_RELEASES = {
    "id_token": _("At sign-in"),
    "userinfo": _("When the service asked for details"),
    "introspection": _("When the service checked the connection"),
}
_NOTHING = _("Only that it is the same person as before")
_STATES = {
    "in_force": _("In force"),
    "withdrawn": _("Withdrawn"),
    "refused": _("Refused"),
    "ended": _("Ended"),
    "none": _("No choice on record"),
}


def claims_text(claims: Iterable[str]) -> str:
    """Claims as one text, in their order."""
    separator: str = gettext(", ")
    return separator.join(map(_claim_text, claims))


def _claim_text(claim: str) -> str:
    if claim.startswith(labels.PERMISSION):
        return str(gettext("Permission: %(name)s", name=labels.permission_type(claim)))
    return str(_CLAIMS.get(claim) or claim)


def released_text(claims: Iterable[str]) -> str:
    """What was passed on."""
    return claims_text(claims) or str(_NOTHING)


def event_text(event: str) -> str:
    """What happened."""
    return str(_EVENTS[event])


def release_text(kind: str) -> str:
    """On which occasion data was passed on."""
    return str(_RELEASES[kind])


def state_text(choices: Collection[Choice]) -> str:
    """Where a person stands with a service, over all its purposes."""
    if not choices:
        return str(_STATES["none"])
    if any(one.in_force for one in choices):
        return str(_STATES["in_force"])
    states = {one.state for one in choices}
    return str(_STATES[next((one for one in ("withdrawn", "refused") if one in states), "ended")])
