"""What is wrong with a purpose before anybody is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consent.facts import Asked, Party, Processing
from consent.linter import NEEDED, PUBLIC_TASKS, Asking, Finding, lint, refused

YEAR = 365 * 86_400
TOWN_HALL = Processing(controllers=(Party("Riverton", type="public_authority"),))
SOUND = Asking(
    "consent",
    "account",
    Asked(("name",), ("email",), YEAR),
    languages=("en", "fr"),
    town_languages=("en", "fr"),
)


def _codes(asking: Asking) -> dict[str, str]:
    return {one.code: one.verdict for one in lint(asking)}


def test_a_purpose_that_asks_for_what_it_needs_passes() -> None:
    assert lint(SOUND) == ()
    assert lint(replace(SOUND, processing=TOWN_HALL)) == ()


@pytest.mark.parametrize("kind", sorted(PUBLIC_TASKS))
def test_nobody_consents_to_a_public_task(kind: str) -> None:
    """GDPR recital 43: where an authority has the task by law, nobody is free to refuse."""
    asking = replace(SOUND, purpose_type=kind, processing=TOWN_HALL)
    assert _codes(asking) == {"consent_for_public_task": "refused"}
    assert lint(replace(asking, basis="public_task", asked=Asked(("name",), (), YEAR))) == ()


def test_an_authority_that_cannot_do_without_says_for_what() -> None:
    """Consent of an authority without a kind of purpose goes to the officer; what is all optional does not."""
    asking = replace(SOUND, purpose_type=None, processing=TOWN_HALL)
    assert _codes(asking) == {"consent_by_authority": "to_officer"}
    assert lint(replace(asking, asked=Asked((), ("email",), YEAR))) == ()


def test_authorities_have_no_legitimate_interests() -> None:
    """GDPR Art. 6(1), last sentence."""
    asking = replace(
        SOUND, basis="legitimate_interests", asked=Asked(("name",), (), YEAR), processing=TOWN_HALL
    )
    assert _codes(asking) == {"interest_of_authority": "refused"}


@pytest.mark.parametrize(
    ("changed", "code", "verdict"),
    [
        ({"asked": Asked(("name",), (), None)}, "missing_retention", "refused"),
        ({"languages": ("en",)}, "missing_translation", "refused"),
        ({"purpose_type": "curiosity"}, "unknown_type", "refused"),
        ({"basis": "contract"}, "optional_without_consent", "refused"),
        ({"purpose_type": "eligibility", "asked": Asked(("birthdate",), (), YEAR)}, "less_would_do", "to_officer"),
        ({"purpose_type": "eligibility", "asked": Asked(("address",), (), YEAR)}, "less_would_do", "to_officer"),
        ({"asked": Asked(("name", "gender"), (), YEAR)}, "not_needed", "to_officer"),
        ({"purpose_type": None, "asked": Asked(("birthdate",), (), YEAR)}, "sensitive_without_type", "to_officer"),
        ({"purpose_type": "tax", "basis": "public_task", "asked": Asked(("birthdate", "age_over_16"), (), YEAR)}, "twice", "refused"),
        ({"purpose_type": "tax", "basis": "public_task", "asked": Asked(("address", "district"), (), YEAR)}, "twice", "refused"),
    ],
)  # fmt: skip
def test_what_is_found(changed: dict, code: str, verdict: str) -> None:
    """One thing wrong, one finding; its words name it."""
    asking = replace(SOUND, **changed)
    assert _codes(asking) == {code: verdict}
    (finding,) = lint(asking)
    assert finding.words
    assert "{" not in finding.words
    assert all(one in finding.words for one in finding.about)


def test_data_by_choice_is_judged_like_data_that_is_needed() -> None:
    """A box to tick is no way round the table."""
    assert _codes(replace(SOUND, asked=Asked((), ("birthdate",), YEAR))) == {"not_needed": "to_officer"}


def test_signing_in_needs_no_data_and_no_retention() -> None:
    assert lint(Asking("consent", "sign_in", Asked())) == ()
    assert _codes(Asking("consent", "sign_in", Asked(("name",), (), YEAR))) == {"not_needed": "to_officer"}


def test_what_is_refused_comes_first() -> None:
    """Whoever reads one reason reads the one that counts."""
    found = lint(Asking("consent", "eligibility", Asked(("birthdate",)), town_languages=("en",)))
    assert [one.verdict for one in found] == ["refused", "refused", "to_officer"]
    assert refused(found) == found[:2]


def test_every_claim_of_the_table_has_words_for_residents() -> None:
    """The table speaks of data that there is."""
    from consent.labels import CLAIMS

    assert {claim for claims in NEEDED.values() for claim in claims} <= set(CLAIMS)
    assert Finding("not_needed", "to_officer", ("a",)).words.endswith("a")


def test_the_sample_town_passes() -> None:
    """Riverton shows how it is done: nothing refused, nothing left to the officer."""
    from admin.sandbox.partners import sample_clients
    from admin.sandbox.ports import Ports

    for client in sample_clients(Ports(8400)):
        for one in client.purposes:
            assert one.processing is not None
            asking = Asking(
                one.basis, one.purpose_type, one.asked, one.processing, tuple(one.texts), ("en", "fr")
            )
            assert (one.key, lint(asking)) == (one.key, ())
