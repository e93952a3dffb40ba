"""The release decision, as tables: what is covered, what is asked, and what an answer means."""

import pytest

from consent.rules import Answer, Ask, Choice, Covered, Event, Section, Terms, answer, current_state, decide

HASH = bytes(32)
REPORTS = Terms("reports", "consent", ("district",), ("email",), 1)
TAX = Terms("tax", "public_task", ("name",), (), 1)
SIGN_IN = Terms("sign-in", "contract", (), (), 1)


def choice(
    purpose_id: str, state: str, offered: str = "", chosen: str | None = None, version: int = 1
) -> Choice:
    picked = offered if chosen is None else chosen
    return Choice(purpose_id, state, tuple(offered.split()), tuple(picked.split()), version, HASH, 0)


def asked(outcome: Covered | Ask) -> dict[str, str]:
    return {one.purpose_id: one.reason for one in outcome.sections} if isinstance(outcome, Ask) else {}


COVERED = [
    ("all of it", [REPORTS], "district email", [choice("reports", "given", "district email")], "district email"),
    ("less is requested", [REPORTS], "email", [choice("reports", "given", "district email")], "email"),
    ("the tick was left out", [REPORTS], "district email", [choice("reports", "given", "district email", "district")], "district"),
    ("narrowed since", [REPORTS], "district email", [choice("reports", "narrowed", "district email", "district")], "district"),
    ("renewed", [REPORTS], "district", [choice("reports", "renewed", "district")], "district"),
    ("informed once", [TAX], "name", [choice("tax", "informed", "name")], "name"),
    ("outside every purpose", [TAX], "name birthdate", [choice("tax", "informed", "name")], "name"),
    ("only outside every purpose", [TAX], "birthdate", [], ""),
    ("no purpose at all", [], "name", [], ""),
    ("signing in is the purpose", [SIGN_IN], "", [choice("sign-in", "informed")], ""),
    ("a purpose not asked for", [REPORTS, TAX], "name", [choice("tax", "informed", "name")], "name"),
    ("a no beside a yes", [REPORTS, TAX], "district name", [choice("reports", "refused", "district", ""), choice("tax", "informed", "name")], "name"),
    ("a withdrawal beside a yes", [REPORTS, TAX], "district name", [choice("reports", "withdrawn", "district", ""), choice("tax", "informed", "name")], "name"),
    ("a wording fix", [REPORTS], "district", [choice("reports", "given", "district", version=1)], "district"),
    ("chosen once, no longer in the purpose", [TAX], "name email", [choice("tax", "informed", "name email")], "name"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "terms", "requested", "choices", "claims"), COVERED)
def test_covered(case: str, terms: list, requested: str, choices: list, claims: str) -> None:
    """What is on file covers the request; claims outside every purpose are never given."""
    outcome = decide(terms, requested.split(), {one.purpose_id: one for one in choices})
    assert isinstance(outcome, Covered), case
    assert outcome.claims == tuple(claims.split())


ASKED = [
    ("first visit", [REPORTS, TAX], "district name", [], {"reports": "new", "tax": "new"}),
    ("first sign-in", [SIGN_IN], "", [], {"sign-in": "new"}),
    ("only what the request touches", [REPORTS, TAX], "name", [], {"tax": "new"}),
    ("a claim never offered", [REPORTS], "district email", [choice("reports", "given", "district")], {"reports": "more"}),
    ("more under another basis", [Terms("tax", "public_task", ("name", "address"), (), 1)], "name address", [choice("tax", "informed", "name")], {"tax": "more"}),
    ("a material change", [Terms("reports", "consent", ("district",), (), 3)], "district", [choice("reports", "given", "district", version=2)], {"reports": "changed"}),
    ("a material change after a no", [Terms("reports", "consent", ("district",), (), 2), TAX], "district name", [choice("reports", "refused", "district", ""), choice("tax", "informed", "name")], {"reports": "changed"}),
    ("superseded", [REPORTS], "district", [choice("reports", "superseded", "district")], {"reports": "changed"}),
    ("expired", [REPORTS], "district", [choice("reports", "expired", "district")], {"reports": "ended"}),
    ("revoked", [REPORTS], "district", [choice("reports", "revoked", "district")], {"reports": "ended"}),
    ("invalidated", [REPORTS], "district", [choice("reports", "invalidated", "district")], {"reports": "ended"}),
    ("refused, and came back", [REPORTS], "district", [choice("reports", "refused", "district", "")], {"reports": "refused"}),
    ("withdrawn, and came back", [REPORTS], "district", [choice("reports", "withdrawn", "district", "")], {"reports": "refused"}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "terms", "requested", "choices", "expected"), ASKED)
def test_asked(case: str, terms: list, requested: str, choices: list, expected: dict) -> None:
    """What is on file does not cover the request, and why."""
    outcome = decide(terms, requested.split(), {one.purpose_id: one for one in choices})
    assert asked(outcome) == expected, case


def test_what_is_settled_stays_covered_beside_a_question() -> None:
    outcome = decide([REPORTS, TAX], ["district", "name"], {"tax": choice("tax", "informed", "name")})
    assert isinstance(outcome, Ask)
    assert outcome.covered == Covered(("name",), ("tax",))


def test_a_purpose_in_question_is_not_relied_on() -> None:
    """Until the changed notice is answered, the earlier yes gives nothing."""
    terms = Terms("reports", "consent", ("district",), (), 2)
    outcome = decide([terms], ["district"], {"reports": choice("reports", "given", "district")})
    assert isinstance(outcome, Ask)
    assert outcome.covered == Covered()


def test_prompt_consent_asks_about_everything_again() -> None:
    """OIDC Core §3.1.2.1: prompt=consent."""
    on_file = {"reports": choice("reports", "given", "district"), "tax": choice("tax", "informed", "name")}
    outcome = decide([REPORTS, TAX], ["district", "name"], on_file, again=True)
    assert asked(outcome) == {"reports": "again", "tax": "again"}


SECTIONS = [
    ("optional is off by default", REPORTS, "district email", None, ("district",), ("email",), ()),
    ("only what is requested", REPORTS, "district", None, ("district",), (), ()),
    ("earlier ticks are kept", Terms("reports", "consent", ("district",), ("email", "name"), 1), "district email name", choice("reports", "given", "district email"), ("district",), ("email", "name"), ("email",)),
    ("what was offered before stays on the page", Terms("reports", "consent", ("district",), ("email", "name"), 1), "name", choice("reports", "given", "district email"), ("district",), ("email", "name"), ("email",)),
    ("changed words untick", Terms("reports", "consent", ("district",), ("email",), 2), "district email", choice("reports", "given", "district email"), ("district",), ("email",), ()),
    ("a no unticks", REPORTS, "district email", choice("reports", "withdrawn", "district email", ""), ("district",), ("email",), ()),
]  # fmt: skip


@pytest.mark.parametrize(("case", "terms", "requested", "before", "required", "optional", "ticked"), SECTIONS)
def test_what_a_section_offers(*, case, terms, requested, before, required, optional, ticked) -> None:
    """The page offers what is requested or was offered; nothing new is ticked for the resident."""
    outcome = decide([terms], requested.split(), {} if before is None else {"reports": before})
    assert isinstance(outcome, Ask), case
    (section,) = outcome.sections
    assert (section.required_claims, section.optional_claims, section.ticked) == (required, optional, ticked)
    assert section.gives_choice


def test_another_basis_gives_no_choice() -> None:
    """No fake "accept" for a public task (GDPR recital 43)."""
    outcome = decide([TAX], ["name"], {})
    assert isinstance(outcome, Ask)
    assert not outcome.sections[0].gives_choice


OFFER = Section("reports", gives_choice=True, required_claims=("district",), optional_claims=("email", "name"), ticked=(), reason="new")  # fmt: skip
ONLY_OPTIONAL = Section("reminders", gives_choice=True, required_claims=(), optional_claims=("email",), ticked=(), reason="new")  # fmt: skip
INFORM = Section("tax", gives_choice=False, required_claims=("name",), optional_claims=(), ticked=(), reason="new")  # fmt: skip
ALL = ("district", "email", "name")
ANSWERS = [
    (OFFER, None, True, "", "given", "district"),
    (OFFER, None, True, "email", "given", "district email"),
    (OFFER, None, True, "name email birthdate", "given", "district email name"),
    (OFFER, None, False, "email", "refused", ""),
    (ONLY_OPTIONAL, None, True, "", "refused", ""),
    (ONLY_OPTIONAL, None, True, "email", "given", "email"),
    (OFFER, choice("reports", "given", "district email"), True, "", "narrowed", "district"),
    (
        OFFER,
        choice("reports", "given", "district email"),
        True,
        "email name",
        "renewed",
        "district email name",
    ),
    (OFFER, choice("reports", "expired", "district email"), True, "", "renewed", "district"),
    (OFFER, choice("reports", "withdrawn", "district", ""), True, "", "given", "district"),
    (OFFER, choice("reports", "refused", "district", ""), True, "", "given", "district"),
    (INFORM, None, True, "birthdate", "informed", "name"),
    (INFORM, None, False, "", "informed", "name"),
]


@pytest.mark.parametrize(("section", "before", "agreed", "ticked", "event", "chosen"), ANSWERS)
def test_what_an_answer_means(*, section, before, agreed, ticked, event, chosen) -> None:
    """An answer is recorded as what it is, and never reaches beyond the offer."""
    said = answer(section, before, agreed=agreed, ticked=ticked.split())
    assert said == Answer(section.purpose_id, event, section.offered, tuple(chosen.split()))


def event(name: str, offered: str = "", chosen: str = "", at: int = 0, purpose_id: str = "reports") -> Event:
    return Event(purpose_id, name, tuple(offered.split()), tuple(chosen.split()), 1, HASH, at)


HISTORIES = [
    ([], {}),
    ([event("requested", "district")], {}),
    ([event("given", "district email", "district", 1)], {"reports": ("given", "district", True)}),
    ([event("given", "district", "district"), event("requested", "email")], {"reports": ("given", "district", True)}),
    ([event("given", "district", "district"), event("withdrawn", "district")], {"reports": ("withdrawn", "", False)}),
    ([event("withdrawn"), event("given", "district", "district")], {"reports": ("given", "district", True)}),
    ([event("given", "district", "district"), event("expired")], {"reports": ("expired", "district", False)}),
    ([event("given", "district", "district"), event("superseded")], {"reports": ("superseded", "district", False)}),
    ([event("expired")], {"reports": ("expired", "", False)}),
    ([event("refused", "district")], {"reports": ("refused", "", False)}),
    ([event("informed", "name", "name", purpose_id="tax"), event("given", "district", "district")], {"tax": ("informed", "name", True), "reports": ("given", "district", True)}),
]  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), HISTORIES)
def test_the_present_is_a_fold_of_history(events: list, expected: dict) -> None:
    """The last deciding event of each purpose stands; an end keeps what had been chosen."""
    state = current_state(events)
    assert {
        key: (one.state, " ".join(one.claims_chosen), one.in_force) for key, one in state.items()
    } == expected
