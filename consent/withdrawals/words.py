"""What residents read about the effect of what they decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _

from consent.withdrawals.rules import State, state_of

if TYPE_CHECKING:
    from consent.withdrawals.rules import Matter

_EVENTS = {
    "consent-withdrawn": _("You stopped sharing"),
    "consent-expired": _("Your agreement ran out"),
    "data-rectified": _("Your data was corrected"),
    "erasure-requested": _("You asked for your data to be deleted"),
    "processing-restricted": _("You asked that your data is not used for now"),
    "objection": _("You objected"),
}
_PARTIAL = _("You share less now")
_STATES = {
    State.WAITING: (_("Being told"), "info"),
    State.SILENT: (_("No answer yet"), "warning"),
    State.OVERDUE: (_("Overdue"), "danger"),
    State.NO_ADDRESS: (_("Not told yet"), "danger"),
    State.CONFIRMED: (_("Confirmed"), "success"),
    State.CONFIRMED_LATE: (_("Confirmed late"), "success"),
    State.CLOSED: (_("Seen to by the town"), "neutral"),
}
_TOLD = (_("Told, answer awaited"), "info")
_OUTCOMES = {
    "deleted": _("The service says that it has deleted the data."),
    "restricted": _("The service says that it has locked the data away and does not use it."),
    "kept_by_law": _("The service says that the law makes it keep the data."),
}


def effect(matter: Matter, *, now: int) -> dict[str, Any]:
    """One matter for a page: what was decided, where the partner stands, in a word with a colour, and since when."""
    state = state_of(matter, now=now)
    is_told = state is State.WAITING and matter.told_at is not None
    word, colour = _TOLD if is_told else _STATES[state]
    is_partial = matter.event == "consent-withdrawn" and matter.is_partial
    return {
        "what": str(_PARTIAL if is_partial else _EVENTS[matter.event]),
        "at": matter.created_at,
        "state": state.value,
        "word": str(word),
        "colour": colour,
        "told_at": matter.told_at,
        "due_at": matter.due_at,
        "confirmed_at": matter.confirmed_at,
        "outcome": "" if matter.outcome is None else str(_OUTCOMES[matter.outcome]),
        "reason": matter.reason or "",
        "closed_at": matter.closed_at,
        "closed_reason": matter.closed_reason or "",
    }
