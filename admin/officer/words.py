"""Plain words for claims, events, releases and states as staff read them: about a third person, never "you"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from consent import labels, rules

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

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
    "deferred": _("Put off the answer"),
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
_SHORT_HASH = 12
_NOT_SHOWN = frozenset({"signature", "sha256"})
_STATES = {
    "in_force": _("In force"),
    "withdrawn": _("Withdrawn"),
    "refused": _("Refused"),
    "ended": _("Ended"),
    "purpose_ended": _("The purpose ended"),
    "none": _("No choice on record"),
}
_LEVELS = {
    "basic": _("One way of signing in"),
    "strong": _("Two ways of signing in"),
    "phr": _("A passkey that knows its owner"),
}
_ACTS = {
    "access_exported": _("Took a copy of everything held"),
    "account_closed": _("Account closed"),
    "account_frozen": _("Account frozen"),
    "breach_notified": _("Told of an incident"),
    "breach_opened": _("Incident recorded"),
    "breach_reported": _("Incident reported to the authority"),
    "file_exported": _("File exported by the privacy officer"),
    "log_verified": _("Log verified"),
    "records_exported": _("Records exported"),
    "records_searched": _("Records searched"),
}
_ACTORS = {
    "self": _("The person"),
    "town": _("The town, by itself"),
    "partner": _("The service"),
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


def state_of(state: str) -> str:
    """What the last event left: where a person stands with one purpose."""
    if state == "ended":
        return str(_STATES["purpose_ended"])
    return str(_STATES["in_force"]) if state in rules.AGREED else event_text(state)


def level_text(level: str) -> str:
    """How surely somebody had signed in."""
    return str(_LEVELS.get(level) or level)


def act_text(kind: str) -> str:
    """What was done; the word of the log where there is no other."""
    return str(_ACTS.get(kind) or kind.replace("_", " "))


def actor_text(actor: str) -> str:
    """Who did it: never which member of staff."""
    return str(_ACTORS.get(actor) or gettext("A member of staff"))


def notice_text(version: int, notice_hash: bytes) -> str:
    """Which notice it was: its version and the beginning of its hash."""
    short = notice_hash.hex()[:_SHORT_HASH]
    return str(gettext("Version %(version)s, %(hash)s", version=version, hash=short))


def passed_on_text(kind: str) -> str:
    """That data was passed on, and on which occasion."""
    return str(gettext("Passed on: %(occasion)s", occasion=release_text(kind)))


def lookup_text(role: str) -> str:
    """That somebody of the staff looked, and in which role."""
    return str(gettext("Looked up by: %(role)s", role=labels.role_text(role)))


def details_text(details: Mapping[str, Any]) -> str:
    """What stands on record of an act, but for digests and signatures."""
    said = {
        name: value
        for name, value in details.items()
        if name not in _NOT_SHOWN and value not in ("", {}, None)
    }
    return ", ".join(f"{name}: {_plain(value)}" for name, value in said.items())


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={each}" for name, each in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
