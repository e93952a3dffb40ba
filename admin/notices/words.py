"""Findings, states, kinds of change and what was done in an officer's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _

from consent import labels

if TYPE_CHECKING:
    from flask_babel.speaklater import LazyString

    from consent.linter import Finding

_STATES: dict[str, LazyString] = {
    "declared": _("No notice yet"),
    "published": _("In force"),
    "ended": _("Ended"),
    "draft": _("Draft"),
    "review": _("To review"),
}
_FINDINGS: dict[str, LazyString] = {
    "consent_for_public_task": _(
        "The law gives this task to the authority, so nobody is free to refuse. Name the public task as the basis."
    ),
    "consent_by_authority": _(
        "An authority asks for consent to data without which nothing works. Is anybody free to refuse?"
    ),
    "interest_of_authority": _("A public authority cannot rest its tasks on a legitimate interest."),
    "optional_without_consent": _("What may be left out rests on consent: it needs a purpose of its own."),
    "missing_retention": _("It does not say how long the data is kept."),
    "missing_translation": _("The notice is missing in these languages: %(about)s."),
    "unknown_type": _("There is no such kind of purpose: %(about)s."),
    "less_would_do": _("Less would do for this kind of purpose: %(about)s."),
    "twice": _("These say the same twice: %(about)s."),
    "not_needed": _("This kind of purpose seldom needs: %(about)s."),
    "sensitive_without_type": _("It asks for much, but does not say what kind of purpose it is: %(about)s."),
}


_DONE: dict[str, LazyString] = {
    "ended": _("The purpose has ended. Nothing rests on it any more."),
    "ended-before": _("This purpose has ended, for good. Nothing of it can be changed any more."),
}


def done_text(done: str) -> str:
    """What has just happened; nothing for anything else that may stand in an address."""
    return str(_DONE.get(done, ""))


def state_text(state: str) -> str:
    """Where a purpose or a draft stands."""
    return str(_STATES[state])


def finding_text(finding: Finding) -> str:
    """What is wrong, in words."""
    is_data = finding.code not in {"missing_translation", "unknown_type"}
    about = labels.claim_list(finding.about) if is_data else ", ".join(finding.about)
    return str(_FINDINGS[finding.code]) % {"about": about}
