"""What may be given without asking, what must be asked, and what an answer means. Pure.

A purpose on the basis of *consent* gives a real choice, its optional items off by default. Any other basis
informs once, with nothing to refuse (GDPR Art. 6(1), recital 43). Claims outside every purpose are never given.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

Reason = Literal["new", "changed", "more", "ended", "refused", "again"]

CONSENT: Final = "consent"
#: The events that are a resident's own yes.
AGREED: Final = frozenset({"given", "narrowed", "renewed"})
#: The events after which a purpose may be relied on.
IN_FORCE: Final = AGREED | {"informed"}
#: The events that say that somebody was asked, not what they answered.
UNDECIDED: Final = frozenset({"requested", "deferred"})
#: What partners are told of, and what they may answer that they have done with the data.
TOLD_EVENTS: Final = (
    "consent-withdrawn",
    "consent-expired",
    "data-rectified",
    "erasure-requested",
    "processing-restricted",
    "objection",
)
OUTCOMES: Final = ("deleted", "restricted", "kept_by_law")
_ENDED = frozenset({"expired", "revoked", "invalidated", "superseded"})
_SAID_NO = frozenset({"refused", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a purpose asks for now: its claims, and the last notice version that residents must have seen."""

    purpose_id: str
    basis: str
    required_claims: tuple[str, ...]
    optional_claims: tuple[str, ...]
    material_version: int
    valid_for: int | None = None
    is_question: bool = False
    """Asked outside a sign-in, for its own sake: no page of a sign-in speaks of it."""

    @property
    def claims(self) -> tuple[str, ...]:
        """Required claims, then optional ones."""
        return self.required_claims + self.optional_claims


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a resident's history with one purpose, oldest first when folded."""

    purpose_id: str
    event: str
    claims_offered: tuple[str, ...]
    claims_chosen: tuple[str, ...]
    notice_version: int
    notice_hash: bytes
    at: int
    valid_until: int | None = None
    purpose_ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a resident stands with one purpose: the last event that decided, and what it decided.

    ``state`` is that event; or ``expired`` and ``ended``, of which no event need tell: the consent's own time is over, or
    the town ended the purpose.
    """

    purpose_id: str
    state: str
    claims_offered: tuple[str, ...]
    claims_chosen: tuple[str, ...]
    notice_version: int
    notice_hash: bytes
    at: int
    valid_until: int | None = None
    purpose_ended_at: int | None = None

    @property
    def in_force(self) -> bool:
        """Whether the purpose may be relied on (DPV: given or renewed only)."""
        return self.state in IN_FORCE


@dataclass(frozen=True, slots=True)
class Covered:
    """What may be handed over without a question."""

    claims: tuple[str, ...] = ()
    purpose_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One purpose on the page. ``ticked`` optional claims are those this resident chose before."""

    purpose_id: str
    gives_choice: bool
    required_claims: tuple[str, ...]
    optional_claims: tuple[str, ...]
    ticked: tuple[str, ...]
    reason: Reason

    @property
    def offered(self) -> tuple[str, ...]:
        """Every claim on the page under this purpose."""
        return self.required_claims + self.optional_claims


@dataclass(frozen=True, slots=True)
class Ask:
    """What the resident has to be asked or told first, and what is covered already."""

    sections: tuple[Section, ...]
    covered: Covered


@dataclass(frozen=True, slots=True)
class Answer:
    """What one section's answer is to be recorded as."""

    purpose_id: str
    event: str
    claims_offered: tuple[str, ...]
    claims_chosen: tuple[str, ...]


def current_state(events: Iterable[Event], now: int | None = None) -> dict[str, Choice]:
    """Fold history, oldest first, to where the resident stands, by purpose.

    With ``now``, a consent whose time is over has expired, whether or not that was recorded yet. What a purpose allowed
    ends with the purpose; with ``now``, one that ended later stood then.
    """
    state: dict[str, Choice] = {}
    for event in events:
        if event.event in UNDECIDED:
            continue
        before = state.get(event.purpose_id)
        if before is not None and event.event in _ENDED:
            state[event.purpose_id] = replace(before, state=event.event, at=event.at)
        else:
            state[event.purpose_id] = Choice(
                event.purpose_id,
                event.event,
                event.claims_offered,
                event.claims_chosen,
                event.notice_version,
                event.notice_hash,
                event.at,
                _until(event, before),
                event.purpose_ended_at,
            )
    return {key: _as_of(one, now) for key, one in state.items()}


def _until(event: Event, before: Choice | None) -> int | None:
    """Who takes something back doesn't thereby agree for longer."""
    if event.valid_until is None and event.event == "narrowed" and before is not None:
        return before.valid_until
    return event.valid_until


def _as_of(choice: Choice, now: int | None) -> Choice:
    if not choice.in_force:
        return choice
    ends = [("ended", choice.purpose_ended_at), ("expired", choice.valid_until if now is not None else None)]
    over = [(at, state) for state, at in ends if at is not None and (now is None or at <= now)]
    if not over:
        return choice
    at, state = min(over)
    return replace(choice, state=state, at=at)


def decide(
    terms: Sequence[Terms], requested: Collection[str], choices: Mapping[str, Choice], *, again: bool = False
) -> Covered | Ask:
    """Whether ``requested`` claims may go out on what is on file, or what must be asked (OIDC Core §3.1.2.4).

    A purpose counts if it shares a claim with the request, or has no claims at all (signing in is its whole
    point). A no, whether refusal or withdrawal, is not asked about again while something else is in force;
    when nothing is, the resident has come back to a service that can't serve them, and is asked. ``again``
    asks about everything (``prompt=consent``).
    """
    wanted = frozenset(requested)
    relevant = [
        one for one in terms if not one.is_question and (not one.claims or wanted.intersection(one.claims))
    ]
    sections = [_question(one, wanted, choices.get(one.purpose_id), again=again) for one in relevant]
    questions = tuple(one for one in sections if one is not None and one.reason != "refused")
    covered = _covered(relevant, wanted, choices, {one.purpose_id for one in questions})
    if not questions and not covered.purpose_ids:
        questions = tuple(one for one in sections if one is not None)
    return Ask(questions, covered) if questions else covered


def answer(
    section: Section, before: Choice | None, *, agreed: bool = True, ticked: Collection[str] = ()
) -> Answer:
    """What the resident's answer is recorded as. Ticks outside the offer are ignored, not obeyed."""
    offered = section.offered
    if not section.gives_choice:
        return Answer(section.purpose_id, "informed", offered, section.required_claims)
    chosen = section.required_claims + tuple(one for one in section.optional_claims if one in ticked)
    # Who leaves every box of a purpose empty has not agreed to it, whichever button they press.
    if not agreed or (offered and not chosen):
        return Answer(section.purpose_id, "refused", offered, ())
    return Answer(section.purpose_id, _agreement(before, chosen), offered, chosen)


def valid_until(event: str, valid_for: int | None, *, now: int) -> int | None:
    """When what an event agrees to ends by itself, in Unix seconds; None when it lasts until it is withdrawn."""
    return now + valid_for if valid_for is not None and event in AGREED else None


def withdrawable(basis: str, choice: Choice) -> bool:
    """Whether this can be withdrawn (GDPR Art. 7(3)): consent in force; other bases know objection at most."""
    return basis == CONSENT and choice.in_force


def _agreement(before: Choice | None, chosen: tuple[str, ...]) -> str:
    if before is None or before.state in _SAID_NO:
        return "given"
    return "narrowed" if before.in_force and not set(before.claims_chosen) <= set(chosen) else "renewed"


def _question(terms: Terms, wanted: frozenset[str], choice: Choice | None, *, again: bool) -> Section | None:
    """The section to show for a purpose, None if it is settled."""
    reason = _reason(terms, wanted, choice, again=again)
    if reason is None:
        return None
    # Once asked for, always shown: an answer replaces the earlier one and must not silently drop from it.
    shown = wanted.union(choice.claims_offered if choice else ())
    # A changed notice is a new question: boxes ticked under the old words are not carried over.
    keep = choice is not None and choice.in_force and choice.notice_version >= terms.material_version
    optional = _among(terms.optional_claims, shown)
    return Section(
        terms.purpose_id,
        terms.basis == CONSENT,
        _among(terms.required_claims, shown),
        optional,
        _among(optional, choice.claims_chosen if keep and choice else ()),
        reason,
    )


def _reason(terms: Terms, wanted: frozenset[str], choice: Choice | None, *, again: bool) -> Reason | None:
    if choice is None:
        return "new"
    if choice.notice_version < terms.material_version or choice.state == "superseded":
        return "changed"
    if choice.state in _ENDED:
        return "ended"
    if again:
        return "again"
    if choice.state in _SAID_NO:
        return "refused"
    return None if wanted.intersection(terms.claims) <= set(choice.claims_offered) else "more"


def _covered(
    relevant: Sequence[Terms], wanted: frozenset[str], choices: Mapping[str, Choice], asked: set[str]
) -> Covered:
    claims: dict[str, None] = {}
    purpose_ids = []
    for one in relevant:
        choice = choices.get(one.purpose_id)
        if choice is None or not choice.in_force or one.purpose_id in asked:
            continue
        purpose_ids.append(one.purpose_id)
        # Both what was chosen then and what the purpose still covers now.
        claims |= dict.fromkeys(_among(one.claims, wanted.intersection(choice.claims_chosen)))
    return Covered(tuple(claims), tuple(purpose_ids))


def _among(claims: Iterable[str], allowed: Collection[str]) -> tuple[str, ...]:
    return tuple(claim for claim in claims if claim in allowed)


# --- in the words of others ---


@dataclass(frozen=True, slots=True)
class Right:
    """A right that a person has towards who processes their data, and when it does not hold in full."""

    name: str
    article: str
    condition: Literal["", "when_no_longer_needed", "unless_needed_for_the_task"] = ""


_ALWAYS: Final = (Right("access", "15"), Right("rectification", "16"))
_ERASURE, _RESTRICTION = Right("erasure", "17"), Right("restriction", "18")
_PORTABILITY, _OBJECTION = Right("portability", "20"), Right("objection", "21")
_RIGHTS: Final[Mapping[str, tuple[Right, ...]]] = {
    CONSENT: (*_ALWAYS, _ERASURE, _RESTRICTION, _PORTABILITY, Right("withdrawal", "7(3)")),
    "contract": (*_ALWAYS, Right("erasure", "17", "when_no_longer_needed"), _RESTRICTION, _PORTABILITY),
    "legal_obligation": (*_ALWAYS, _RESTRICTION),
    "vital_interests": (*_ALWAYS, _ERASURE, _RESTRICTION),
    "public_task": (
        *_ALWAYS,
        Right("erasure", "17", "unless_needed_for_the_task"),
        _RESTRICTION,
        _OBJECTION,
    ),
    "legitimate_interests": (*_ALWAYS, _ERASURE, _RESTRICTION, _OBJECTION),
}


def rights_for(basis: str) -> tuple[Right, ...]:
    """The rights that a lawful basis gives (GDPR Art. 7(3), 15 to 18, 20, 21), in the order of their articles.

    Raises KeyError for an unknown basis.
    """
    return _RIGHTS[basis]


_DPV_STATES: Final[Mapping[str, str]] = {
    "requested": "ConsentRequested",
    "deferred": "ConsentRequestDeferred",
    "given": "ConsentGiven",
    "narrowed": "RenewedConsentGiven",
    "renewed": "RenewedConsentGiven",
    "refused": "ConsentRefused",
    "expired": "ConsentExpired",
    "withdrawn": "ConsentWithdrawn",
    "revoked": "ConsentRevoked",
    "invalidated": "ConsentInvalidated",
    "superseded": "ConsentInvalidated",
    "informed": "ConsentUnknown",
}
_BY_NOBODY = frozenset({"requested", "expired", "superseded", "invalidated", "informed"})
#: Controls that answer one question and nothing else, so that the answer is explicit.
_EXPLICIT = frozenset(
    {
        "question-yes",
        "question-no",
        "renew-button",
        "withdraw-button",
        "withdraw-one-button",
        "share-less-button",
    }
)

ExpressedHow = Literal["Implied", "Expressed", "ExplicitlyExpressed"]


def dpv_state(event: str) -> str:
    """The state of consent after an event, as the Data Privacy Vocabulary names it.

    Being informed is no consent, so its state is unknown there.
    """
    return _DPV_STATES[event]


def event_type(event: str, control: str, *, ticked: bool = False) -> ExpressedHow:
    """How an event was expressed (ISO/IEC TS 27560): by nobody, by a button, or by an act for this alone."""
    if event in _BY_NOBODY:
        return "Implied"
    return "ExplicitlyExpressed" if ticked or control in _EXPLICIT else "Expressed"
