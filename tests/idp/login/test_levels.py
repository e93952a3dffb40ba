"""What proofs are worth: never more than they are, whatever is combined, and nothing for what is unknown."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.login.levels import (
    LEVELS,
    Method,
    Proof,
    amr_of,
    carried,
    common_root,
    is_enough,
    level_of,
    needed_next,
    noted,
    rank,
    reaches,
    typical,
)

M = Method
METHODS = st.sampled_from(list(Method))
SAID = st.sampled_from([*LEVELS, "", "gold", "PHR", "basic strong"])
PROOFS = st.lists(
    st.builds(Proof, METHODS, SAID, st.sampled_from(["", "pwd", "otp", "sms mfa", "x" * 90])), max_size=5
)
#: As the ways in make them: a provider upstream says its level and its amr itself.
REAL = st.one_of(
    st.builds(typical, METHODS),
    st.builds(
        Proof,
        st.just(M.UPSTREAM),
        st.sampled_from(LEVELS),
        st.sampled_from(["", "pwd", "sms", "pin", "pwd otp"]),
    ),
)
KNOWN = {M.PASSWORD, M.CARD}
HAD = {M.TOTP, M.SMS_CODE, M.RECOVERY_CODE, M.PAPER_CODE, M.EMAIL_CODE}


@pytest.mark.parametrize(
    ("methods", "level"),
    [
        ([], ""),
        ([M.PASSWORD], "basic"),
        ([M.EMAIL_CODE], "basic"),
        ([M.SMS_CODE], "basic"),
        ([M.CARD], "basic"),
        ([M.UPSTREAM], "basic"),
        ([M.PASSWORD, M.TOTP], "strong"),
        ([M.PASSWORD, M.SMS_CODE], "strong"),
        ([M.PASSWORD, M.EMAIL_CODE], "strong"),
        ([M.PASSWORD, M.RECOVERY_CODE], "strong"),
        ([M.CARD, M.PAPER_CODE], "strong"),
        ([M.CARD, M.EMAIL_CODE], "basic"),
        ([M.EMAIL_CODE, M.SMS_CODE], "basic"),
        ([M.EMAIL_CODE, M.TOTP], "basic"),
        ([M.TOTP, M.RECOVERY_CODE], "basic"),
        ([M.PASSKEY], "phr"),
        ([M.PASSWORD, M.PASSKEY], "phr"),
    ],
)
def test_what_each_combination_is_worth(methods: list[Method], level: str) -> None:
    """identity.md's table; a mailbox is no possession, a card can be copied, a PIN and a card are one factor."""
    assert level_of([typical(method) for method in methods]) == level


@pytest.mark.parametrize(
    ("rests_on", "method", "level"),
    [
        (M.EMAIL_CODE, M.EMAIL_CODE, "basic"),
        (M.SMS_CODE, M.SMS_CODE, "basic"),
        (M.EMAIL_CODE, M.SMS_CODE, "strong"),
        (M.SMS_CODE, M.EMAIL_CODE, "strong"),
        (M.EMAIL_CODE, M.TOTP, "strong"),
        (M.SMS_CODE, M.RECOVERY_CODE, "strong"),
    ],
)
def test_a_password_and_the_code_that_could_have_set_it_are_one_factor(
    rests_on: Method, method: Method, level: str
) -> None:
    """Decision 0038: in one sign-in, and in a session that is raised; nor is the code offered towards more."""
    password = typical(M.PASSWORD, rests_on)
    assert level_of([password, typical(method)]) == level
    assert ("mfa" in amr_of([password, typical(method)])) == (level == "strong")
    brought = carried("basic", "pwd", noted([password]))
    assert level_of([*brought, typical(method)]) == level
    offered = (method,) if level == "strong" else ()
    would_prove = partial(typical, rests_on=rests_on)
    assert needed_next(brought, {M.PASSWORD, method}, "strong", (), would_prove) == offered
    begun = needed_next([typical(method)], {M.PASSWORD, method}, "strong", (), would_prove)
    assert begun == ((M.PASSWORD,) if level == "strong" else ())


@pytest.mark.parametrize(
    ("proofs", "root"),
    [
        ([], ""),
        ([typical(M.EMAIL_CODE)], "email-code"),
        ([typical(M.SMS_CODE)], "sms-code"),
        ([typical(M.EMAIL_CODE), typical(M.SMS_CODE)], ""),
        ([typical(M.PASSWORD)], ""),
        ([typical(M.PASSWORD, M.EMAIL_CODE)], "email-code"),
        ([typical(M.PASSWORD, M.EMAIL_CODE), typical(M.EMAIL_CODE)], "email-code"),
        ([typical(M.PASSWORD, M.EMAIL_CODE), typical(M.SMS_CODE)], ""),
        ([typical(M.PASSWORD, M.EMAIL_CODE), typical(M.TOTP)], ""),
        ([typical(M.PASSWORD), typical(M.EMAIL_CODE)], ""),
        ([typical(M.CARD)], ""),
        ([typical(M.PASSKEY)], ""),
    ],
)
def test_what_a_password_rests_on_is_what_alone_opened_the_session_that_sets_it(
    proofs: list[Proof], root: str
) -> None:
    assert common_root(proofs) == root


@given(PROOFS)
def test_a_level_is_never_more_than_its_proofs_are_worth(proofs: list[Proof]) -> None:
    """identity.md: acr says what was proved, never more. `phr` needs a passkey or a provider mapped to it; `strong` two factors."""
    level = level_of(proofs)
    worth = [proof for proof in proofs if proof.level in LEVELS]
    methods = {proof.method for proof in worth}
    assert level in ("", *LEVELS)
    if not worth:
        assert level == ""
    alone = {proof.level for proof in worth if proof.method in (M.PASSKEY, M.UPSTREAM)}
    if level == "phr":
        assert "phr" in alone
    if level == "strong":
        assert "strong" in alone or (methods & KNOWN and methods & HAD)


@given(PROOFS, PROOFS)
def test_one_more_proof_never_lowers_the_level(proofs: list[Proof], more: list[Proof]) -> None:
    assert rank(level_of([*proofs, *more])) >= rank(level_of(proofs))


@given(PROOFS, st.text(max_size=8))
def test_an_unknown_level_is_reached_by_nothing(proofs: list[Proof], wanted: str) -> None:
    """Fail closed: whatever a partner calls a level, it is not met by guessing."""
    if wanted not in LEVELS:
        assert not reaches(level_of(proofs), wanted)
        assert wanted == "" or not is_enough(proofs, (), wanted)


@given(PROOFS)
def test_methods_are_said_once_and_fit_their_column(proofs: list[Proof]) -> None:
    """RFC 8176: a set of values; `mfa` only where two factors were combined here or a provider said so."""
    said = amr_of(proofs).split()
    assert len(said) == len(set(said))
    assert len(amr_of(proofs)) <= 80
    methods = {proof.method for proof in proofs if proof.level in LEVELS}
    if "mfa" in said and not any("mfa" in proof.amr for proof in proofs):
        assert methods & KNOWN
        assert methods & HAD


@given(SAID, st.sampled_from(["pwd", "pwd otp mfa", "hwk user", "otp", "sms", "pin", "pwd pin", ""]), PROOFS)
def test_a_session_carries_over_no_more_than_its_own_level(acr: str, amr: str, proofs: list[Proof]) -> None:
    """Whatever its row says, and nothing at all where it does not say what was proved."""
    brought = carried(acr, amr, noted(proofs))
    assert rank(level_of(brought)) <= rank(acr)
    assert carried(acr, amr, None) == ()


@given(st.lists(st.lists(REAL, max_size=3), max_size=4))
def test_a_level_is_the_same_in_one_sign_in_and_in_several(steps: list[list[Proof]]) -> None:
    """identity.md: acr and amr say what was proved, never more, however often the session was raised in between."""
    known: dict[Method, Proof] = {}
    brought: tuple[Proof, ...] = ()
    for step in steps:
        for proof in step:
            known.setdefault(proof.method, proof)
        methods = {one.method for one in brought}
        together = [*brought, *(one for one in known.values() if one.method not in methods)]
        acr, amr, kept = level_of(together), amr_of(together), noted(together)
        assert acr == level_of(known.values())
        said = {
            value for proof in known.values() for value in (proof.amr or typical(proof.method).amr).split()
        }
        assert set(amr.split()) - {"mfa"} <= said
        assert "mfa" not in amr.split() or "mfa" in amr_of(known.values()).split()
        assert len(kept) <= 200
        brought = carried(acr, amr, kept)


@given(st.lists(REAL, unique_by=lambda proof: proof.method))
def test_what_a_session_keeps_fits_its_column(proofs: list[Proof]) -> None:
    """Even with every method there is."""
    kept = noted(proofs)
    assert len(kept) <= 200
    assert {one.method for one in carried(level_of(proofs), "", kept)} == {one.method for one in proofs}


@pytest.mark.parametrize("said", ["pwd", "sms", "pin"])
def test_what_a_provider_calls_a_password_is_none_of_ours(said: str) -> None:
    """A provider's factor pairs with nothing, in one sign-in or in two."""
    brought = carried("basic", said, noted([Proof(M.UPSTREAM, "basic", said, "neighbour")]))
    assert brought == (Proof(M.UPSTREAM, "basic", said),)
    for method in Method:
        if method is not M.PASSKEY:
            assert level_of([*brought, typical(method)]) == "basic"


def test_a_password_carried_over_counts_as_one() -> None:
    """Step-up: who signed in by password owes the second factor alone."""
    proofs = carried("basic", "pwd", noted([typical(M.PASSWORD)]))
    assert needed_next(proofs, {M.PASSWORD, M.TOTP}, "strong") == (M.TOTP,)
    assert level_of([*proofs, typical(M.TOTP)]) == "strong"
    assert amr_of([*proofs, typical(M.TOTP)]) == "pwd otp mfa"


@given(
    st.lists(METHODS, max_size=4, unique=True),
    st.frozensets(METHODS),
    st.frozensets(st.sampled_from([M.TOTP, M.SMS_CODE, M.EMAIL_CODE, M.PAPER_CODE])),
    st.sampled_from(["", *LEVELS, "gold"]),
)
def test_what_is_offered_leads_on_and_the_resident_has_it(
    proved: list[Method], enrolled: frozenset[Method], owed: frozenset[Method], wanted: str
) -> None:
    """Never a page that cannot help, never one for what was proved, nothing once it is enough."""
    enrolled |= owed
    proofs = [typical(method) for method in proved]
    offered = needed_next(proofs, enrolled, wanted, owed)
    assert set(offered) <= enrolled - set(proved)
    if proofs and is_enough(proofs, owed, wanted):
        assert offered == ()
    if proofs and not is_enough(proofs, owed, ""):
        for method in offered:
            assert is_enough([*proofs, typical(method)], owed, "")


@pytest.mark.parametrize("first", [M.PASSWORD, M.EMAIL_CODE, M.SMS_CODE, M.CARD, M.UPSTREAM])
@pytest.mark.parametrize("other", [None, M.EMAIL_CODE, M.SMS_CODE, M.PASSWORD])
def test_an_enrolled_second_factor_is_owed_after_everything_but_a_passkey(
    first: Method, other: Method | None
) -> None:
    """K27: nothing replaces it but a recovery code, not even another code that makes two factors."""
    proofs = [typical(one) for one in {first, other} if one is not None]
    enrolled = {M.PASSWORD, M.EMAIL_CODE, M.SMS_CODE, M.CARD, M.TOTP, M.RECOVERY_CODE, M.PASSKEY}
    assert not is_enough(proofs, {M.TOTP}, "")
    assert needed_next(proofs, enrolled, "", {M.TOTP}) == (M.TOTP, M.PASSKEY, M.RECOVERY_CODE)
    for method in (M.TOTP, M.RECOVERY_CODE, M.PASSKEY):
        assert is_enough([*proofs, typical(method)], {M.TOTP}, "")


def test_a_way_of_two_steps_is_found() -> None:
    """After a code by mail alone, strong needs the password and what follows it."""
    enrolled = {M.PASSWORD, M.EMAIL_CODE, M.TOTP}
    assert needed_next([typical(M.UPSTREAM)], enrolled, "strong") == (M.TOTP, M.EMAIL_CODE, M.PASSWORD)
    assert needed_next([typical(M.EMAIL_CODE)], enrolled, "strong") == (M.PASSWORD,)
    assert needed_next([typical(M.PASSWORD)], {M.PASSWORD}, "strong") == ()
    assert needed_next([typical(M.PASSWORD), typical(M.TOTP)], enrolled, "phr") == ()
