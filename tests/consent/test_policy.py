"""Trust policies: C2SP tlog-policy."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from consent.log import NoteError, NoteSigner
from consent.log.cosignatures import Cosigner, with_lines
from consent.log.policy import Policy, PolicyError, parse, policy_text
from consent.log.verifiers import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44
from consent.witness.keys import cosigner_of
from tests.consent.town import NOW, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT = f"{ORIGIN}\n7\n{base64.b64encode(bytes(32)).decode()}\n"
W = {
    name: cosigner_of(f"{name}.example/witness", COSIGNATURE_ED25519, bytes([number]) * 32)
    for number, name in enumerate(("X1", "X2", "X3", "Y1", "Y2", "Y3"))
}


def lines(*more: str) -> str:
    return "\n".join([*(f"witness {name} {one.key.vkey}" for name, one in W.items()), *more, ""])


EXAMPLE = lines(
    "group X-witnesses 2 X1 X2 X3",
    "group Y-witnesses any Y1 Y2 Y3",
    "group X-and-Y all X-witnesses Y-witnesses",
    "quorum X-and-Y",
)


@pytest.mark.parametrize(
    ("seen", "met"),
    [
        (["X1", "X2", "Y1"], True),
        (["X1", "X3", "Y3", "Y2"], True),
        (["X1", "X2", "X3"], False),
        (["X1", "Y1", "Y2", "Y3"], False),
        ([], False),
        (["X-and-Y"], False),
    ],
)
def test_the_example_of_the_specification(seen: Iterable[str], met: bool) -> None:
    """Two levels of groups: two of X, and one of Y."""
    assert parse(EXAMPLE).has_quorum(seen) is met


def test_what_is_written_is_read_again_the_same(signer: NoteSigner) -> None:
    policy = parse(f"log {signer.vkey} https://riverton.example/log\n{EXAMPLE}")
    assert parse(policy.text()) == policy
    assert policy.logs[0].url == "https://riverton.example/log"


def test_comments_spaces_and_octets_beyond_ascii() -> None:
    """Leading and trailing whitespace, empty lines, comments; a name is octets, not characters."""
    name = b"caf\xe9"
    vkey = W["X1"].key.vkey.encode()
    policy = parse(
        b"# hello \xff\n \t \n\twitness  " + name + b"\t" + vkey + b" \n  # more\nquorum " + name + b"\t\n"
    )
    assert policy.has_quorum([name.decode("utf-8", "surrogateescape")])
    with pytest.raises(PolicyError, match="not defined"):
        parse(f"witness K {W['X1'].key.vkey}\nquorum \u212a\n")


def test_none_asks_for_nothing(signer: NoteSigner) -> None:
    policy = parse(f"log {signer.vkey}\nquorum none\n")
    assert policy.judge(signer.sign(TEXT)).is_met


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no quorum"),
        (lines("quorum X1", "quorum X2"), "second quorum"),
        (lines("quorum none", "quorum none"), "second quorum"),
        (lines("quorum Z1"), "not defined before"),
        (lines("quorum"), "write: quorum"),
        (lines("quorum X1 X2"), "write: quorum"),
        ("quorum X1\n" + lines(), "not defined before"),
        (lines("group g any X1", "group h any g Z", "quorum h"), "not defined before"),
        (lines("group g any g", "quorum g"), "not defined before"),
        (lines("group g any none", "quorum g"), "not defined before"),
        (lines("group none any X1", "quorum none"), "taken"),
        (lines("group X1 any X2", "quorum X1"), "taken"),
        (lines("group g any X1", "group g any X2", "quorum g"), "taken"),
        (lines("group g any X1 X1", "quorum g"), "member already"),
        (lines("group g any X1", "group h any X1", "quorum h"), "member already"),
        (lines("group g 0 X1", "quorum g"), "a number from 1"),
        (lines("group g 2 X1", "quorum g"), "a number from 1"),
        (lines("group g 01 X1", "quorum g"), "a number from 1"),
        (lines("group g ١ X1", "quorum g"), "a number from 1"),
        (lines("group g some X1", "quorum g"), "a number from 1"),
        (lines("group g any", "quorum g"), "write: group"),
        (lines(f"witness other {W['X1'].key.vkey}", "quorum none"), "same key"),
        (lines("witness X9", "quorum none"), "write: witness"),
        (lines("witness X9 a+b+c", "quorum none"), "line 7"),
        (lines("Quorum none"), "begins with none of"),
        (lines("quorum none\x0b"), "control character"),
        (lines("quorum none\r"), "control character"),
        (lines("quorum none\x7f"), "control character"),
        (lines("quorum\u00a0none"), "begins with none of"),
        ("x" * 2_000_000, "too long"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, why: str) -> None:
    """Each rule of the file format."""
    with pytest.raises(PolicyError, match=why):
        parse(text)


def test_keys_must_be_of_the_type_for_their_task(signer: NoteSigner) -> None:
    """A log signs with a log's key, a witness with a witness's; ML-DSA-44 serves both."""
    both = cosigner_of("riverton.example/log", COSIGNATURE_ML_DSA_44, b"m" * 32)
    parse(f"log {both.key.vkey}\nquorum none\n")
    with pytest.raises(PolicyError, match="no witness's"):
        parse(f"witness w {signer.vkey}\nquorum w\n")
    with pytest.raises(PolicyError, match="no log's"):
        parse(f"log {W['X1'].key.vkey}\nquorum none\n")
    with pytest.raises(PolicyError, match="two logs"):
        parse(
            f"log {signer.vkey}\nlog {NoteSigner('other', signer.public_key, signer.sign_raw).vkey}\nquorum none\n"
        )


def judged(policy: Policy, signer: NoteSigner, *cosigners: Cosigner) -> tuple[bool, dict[str, int]]:
    found = policy.judge(with_lines(signer.sign(TEXT), *(one.line(TEXT, NOW) for one in cosigners)))
    return found.is_met, dict(found.witnessed)


def test_a_checkpoint_is_held_against_a_policy(signer: NoteSigner) -> None:
    policy = parse(f"log {signer.vkey}\n{EXAMPLE}")
    assert judged(policy, signer, W["X1"], W["X2"], W["Y3"]) == (True, {"X1": NOW, "X2": NOW, "Y3": NOW})
    assert judged(policy, signer, W["X1"], W["Y3"]) == (False, {"X1": NOW, "Y3": NOW})
    stranger = cosigner_of("X2.example/witness", COSIGNATURE_ED25519, b"s" * 32)
    assert judged(policy, signer, W["X1"], stranger, W["Y3"])[0] is False


def test_witnesses_never_stand_in_for_the_log(signer: NoteSigner) -> None:
    """However many cosign: without the log's own signature there is no checkpoint."""
    policy = parse(f"log {signer.vkey}\n{EXAMPLE}")
    note = with_lines(f"{TEXT}\n", *(one.line(TEXT, NOW) for one in W.values()))
    with pytest.raises(NoteError, match="no known key"):
        policy.judge(note)


def test_a_log_speaks_for_its_own_origin_alone(signer: NoteSigner) -> None:
    """The key name must be the origin line."""
    policy = parse(f"log {signer.vkey}\nquorum none\n")
    with pytest.raises(NoteError, match="no known key"):
        policy.judge(signer.sign(TEXT.replace("riverton", "lakeside")))


def test_logs_may_be_known_from_elsewhere(signer: NoteSigner) -> None:
    """A policy without logs is used with those that the reader knows already."""
    policy = parse("quorum none\n")
    assert policy.judge(signer.sign(TEXT), signer.vkey).is_met
    with pytest.raises(NoteError):
        policy.judge(signer.sign(TEXT))


def test_the_policy_of_a_town(signer: NoteSigner) -> None:
    """What is published at /log/policy, from the settings."""
    witnesses = [(name, one.key.vkey, f"https://{name}.example") for name, one in W.items()]
    policy = parse(
        policy_text(logs=[(signer.vkey, "https://riverton.example/log")], witnesses=witnesses, quorum=3)
    )
    assert not policy.has_quorum(["X1", "Y1"])
    assert policy.has_quorum(["X1", "Y1", "Y2"])
    assert policy.witnesses["X2"].url == "https://X2.example"
    alone = parse(policy_text(logs=[(signer.vkey, "")], witnesses=[], quorum=1))
    assert alone.has_quorum([])
    named = [("witnesses", W["X1"].key.vkey, ""), ("b", W["X2"].key.vkey, "")]
    assert parse(policy_text(logs=[], witnesses=named, quorum=2)).has_quorum(["witnesses", "b"])
