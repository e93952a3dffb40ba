"""Plain words for claims, lawful bases, events, releases and roles, in the reader's language."""

from collections.abc import Iterable

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString

from consent.facts import Change

CLAIMS: dict[str, LazyString] = {
    "name": _("Your full name"),
    "given_name": _("Your first name"),
    "family_name": _("Your family name"),
    "middle_name": _("Your middle name"),
    "nickname": _("The name you like to be called"),
    "preferred_username": _("Your user name"),
    "profile": _("The address of your profile page"),
    "picture": _("Your picture"),
    "website": _("Your website"),
    "email": _("Your e-mail address"),
    "email_verified": _("Whether your e-mail address is confirmed"),
    "gender": _("Your gender"),
    "birthdate": _("Your date of birth"),
    "zoneinfo": _("Your time zone"),
    "locale": _("Your language"),
    "phone_number": _("Your phone number"),
    "phone_number_verified": _("Whether your phone number is confirmed"),
    "address": _("Your postal address"),
    "updated_at": _("When your details last changed"),
    "resident": _("Whether you live here"),
    "district": _("The district you live in"),
    "age_over_14": _("Whether you are over 14"),
    "age_over_16": _("Whether you are over 16"),
    "age_over_18": _("Whether you are over 18"),
    "age_over_65": _("Whether you are over 65"),
    "verified_claims": _("How your identity was checked"),
}

BASES: dict[str, LazyString] = {
    "consent": _("You agreed to this. You can stop it at any time."),
    "contract": _("The service needs this to keep its agreement with you."),
    "legal_obligation": _("The law requires this."),
    "vital_interests": _("This protects someone’s life."),
    "public_task": _("The town needs this for a task the law gives it."),
    "legitimate_interests": _("The service has a legitimate interest in this. You can object."),
}

_BASE_NAMES: dict[str, LazyString] = {
    "consent": _("Consent"),
    "contract": _("Contract"),
    "legal_obligation": _("Legal obligation"),
    "vital_interests": _("Vital interests"),
    "public_task": _("Public task"),
    "legitimate_interests": _("Legitimate interests"),
}

_EVENTS: dict[str, LazyString] = {
    "requested": _("The service asked you."),
    "deferred": _("You put the question off."),
    "given": _("You agreed."),
    "narrowed": _("You agreed to share less."),
    "refused": _("You refused."),
    "renewed": _("You agreed again."),
    "expired": _("Your agreement ran out."),
    "withdrawn": _("You stopped sharing."),
    "revoked": _("The town or someone acting for you ended this."),
    "invalidated": _("An authority ended this."),
    "superseded": _("The service changed its terms, so your earlier answer no longer counts."),
    "informed": _("You were told about this."),
}

_CHANGES: dict[str, LazyString] = {
    "purpose": _("The reason is another one. Please read it again."),
    "controller": _("Responsible for your data is now: %(after)s. Before: %(before)s."),
    "recipients": _("Who receives it has changed. Now: %(after)s. Before: %(before)s."),
    "data": _("It now asks for this as well: %(after)s."),
    "less_data": _("It no longer asks for: %(before)s."),
    "retention": _("It keeps your data for longer. Now: %(after)s. Before: %(before)s."),
    "validity": _("What you agree to lasts longer. Now: %(after)s. Before: %(before)s."),
    "places": _("Where your data is kept or worked with has changed. Now: %(after)s. Before: %(before)s."),
}

_RELEASES: dict[str, LazyString] = {
    "id_token": _("When you signed in"),
    "userinfo": _("When the service asked for your details"),
    "introspection": _("When the service checked that you are still connected"),
}

_ROLES: dict[str, LazyString] = {
    "clerk": _("A clerk"),
    "officer": _("The privacy officer"),
    "operator": _("A technician"),
}

#: What the name of a permission for a single matter begins with; what follows is its digest, a colon and its type.
PERMISSION = "permission:"

UNKNOWN_SERVICE = _("A service that no longer exists")


def claim_label(claim: str) -> str:
    """What a claim says about a person, e.g. “Your e-mail address”; the claim's own words if it is ours to guess."""
    if claim.startswith(PERMISSION):
        return str(gettext("A permission: %(name)s", name=permission_type(claim)))
    return str(CLAIMS.get(claim) or claim.replace("_", " ").capitalize())


def apart(claims: Iterable[str]) -> tuple[list[str], list[str]]:
    """Data, and permissions for single matters: these are given, but nothing is passed on with them."""
    both: tuple[list[str], list[str]] = ([], [])
    for claim in claims:
        both[claim.startswith(PERMISSION)].append(claim)
    return both


def permission_type(claim: str) -> str:
    """The type of a permission in words: the end of its name, such as “tax return”."""
    return claim.split(":", 2)[2].replace(":", "/").rpartition("/")[2].replace("_", " ")


def claim_list(claims: Iterable[str]) -> str:
    """Claims as one text, in their order."""
    return str(gettext(", ")).join(map(claim_label, claims))


def basis_text(basis: str) -> str:
    """What a lawful basis means for the person."""
    return str(BASES[basis])


def basis_name(basis: str) -> str:
    """What a lawful basis is called (GDPR Art. 6(1))."""
    return str(_BASE_NAMES.get(basis) or basis)


def event_text(event: str, claims: Iterable[str]) -> str:
    """What happened, and to which data."""
    said = str(_EVENTS[event])
    about = claim_list(claims)
    return gettext("%(said)s It was about: %(claims)s", said=said, claims=about) if about else said


def length_text(seconds: int) -> str:
    """How long, as people say it: in years, months or days."""
    days = max(1, seconds // 86_400)
    if days % 365 == 0:
        return str(ngettext("%(num)s year", "%(num)s years", days // 365))
    if days % 30 == 0:
        return str(ngettext("%(num)s month", "%(num)s months", days // 30))
    return str(ngettext("%(num)s day", "%(num)s days", days))


def lasts_text(valid_for: int | None) -> str:
    """How long an agreement lasts; nothing where it lasts until it is taken back."""
    if valid_for is None:
        return ""
    return str(gettext("It ends by itself after %(time)s.", time=length_text(valid_for)))


def change_text(change: Change) -> str:
    """What a service changed in what it says, for whoever agreed to it before."""
    said = {"before": ", ".join(change.before), "after": ", ".join(change.after)}
    if change.what in {"data", "less_data"}:
        said = {"before": claim_list(change.before), "after": claim_list(change.after)}
    if change.what in {"retention", "validity"}:
        said = {"before": _length(change.before), "after": _length(change.after)}
    return str(_CHANGES[change.what]) % said


def _length(seconds: tuple[str, ...]) -> str:
    return length_text(int(seconds[0])) if seconds else str(gettext("it does not say how long"))


def notice_text(title: str, version: int) -> str:
    """Which notice it was about."""
    return str(gettext("%(title)s, version %(version)s", title=title, version=version))


def release_text(kind: str) -> str:
    """On which occasion data was passed on."""
    return str(_RELEASES[kind])


def released_text(claims: Iterable[str]) -> str:
    """What was passed on."""
    return claim_list(claims) or gettext("That you are the same person as last time, and nothing else")


def role_text(role: str) -> str:
    """Who among the staff."""
    return str(_ROLES.get(role) or gettext("A member of staff"))
