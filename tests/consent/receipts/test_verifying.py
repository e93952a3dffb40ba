"""A receipt that is as it was given holds in all its forms; one that is not, does not, and it is said why."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from consent.log import NoteSigner, integrate
from consent.log import policy as policies
from consent.log.verifiers import COSIGNATURE_ED25519, VerifierKey
from consent.receipts.signed import PAPER, RECEIPT, NotReadable
from consent.receipts.verifying import Keys, Verdict, notice_hash, read_keys, read_vkeys, verify
from tests.consent.receipts.conftest import CREATED, ISSUER, SigningKey
from tests.consent.town import HOUR, NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.consent.receipts.conftest import Desk


def states(verdict: Verdict) -> dict[str, str]:
    return {one.name: one.state for one in verdict.checks}


def wrong(verdict: Verdict) -> set[str]:
    assert not verdict.is_good
    return {part for one in verdict.checks if one.state == "fails" for part in one.where}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every single value."""
    if isinstance(value, dict | list) and value:
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(one, (*path, name))
    else:
        yield path


def changed(claims: Any, path: tuple[Any, ...]) -> Any:
    """A copy with another value at this path."""
    made = copy.deepcopy(claims)
    place = made
    for step in path[:-1]:
        place = place[step]
    value = place[path[-1]]
    place[path[-1]] = (
        (not value)
        if isinstance(value, bool)
        else value + 1
        if isinstance(value, int)
        else f"{value}x"
        if isinstance(value, str)
        else "x"
    )
    return made


@pytest.mark.parametrize("form", ["jwt", "json"])
def test_a_receipt_holds_with_nothing_but_published_keys(desk: Desk, form: str) -> None:
    """Signature, words, notice, leaves and their places in the log: all are answered, all with yes."""
    verdict = desk.check(getattr(desk, form)())
    assert verdict.is_good
    assert set(states(verdict).values()) == {"holds"}
    assert {"leaf of consent_record", "leaf of consent_notice", "leaf of consent_purpose"} <= set(
        states(verdict)
    )
    assert verdict.facts["chosen"] == ["district"]
    assert verdict.facts["service"] == "Street reports"


def test_the_code_on_paper_holds(desk: Desk) -> None:
    """It has no room for a proof: its leaf is recomputed and named, for whoever looks it up in the log."""
    code = b"https://riverton.example/receipts/verify#" + desk.paper()
    verdict = desk.check(code)
    assert verdict.is_good
    assert states(verdict) == {"signature": "holds", "leaf of consent_record": "unknown"}
    leaf = next(iter(desk.receipt.claims["evidence"]))
    assert leaf["table"] == "consent_record"
    assert verdict.facts["event"] == "given"


def test_before_the_log_has_taken_it_in_a_receipt_says_so(desk: Desk) -> None:
    """Nothing is missing but the proof; whoever insists on witnesses is not satisfied."""
    desk.town.now += HOUR
    desk.uid = desk.town.event(
        desk.receipt.evidence.purpose["id"], "withdrawn", claims_offered=["district"], claims_chosen=[]
    )
    found = desk.check(desk.jwt())
    assert found.is_good
    assert states(found)["leaf of consent_record"] == "unknown"
    strict = policies.parse(f"log {desk.town.signer.vkey}\nquorum none\n")
    assert not desk.check(desk.jwt(), policy=strict).is_good
    desk.town.integrate()
    assert desk.check(desk.jwt(), policy=strict).is_good


@pytest.mark.parametrize(
    ("part", "value"), [("kind", "consent_refused"), ("hour", 0), ("opening", "00"), ("uid", "0")]
)
def test_a_leaf_that_nothing_proves_yet_still_has_to_fit_its_row(desk: Desk, part: str, value: Any) -> None:
    """Without a proof nothing else would notice that kind or hour are not those of the event."""
    claims = copy.deepcopy(dict(desk.receipt.claims))
    entry = claims["evidence"][0]
    del entry["proof"]
    assert desk.check(desk.key.sign(claims)).is_good
    entry[part] = value
    assert part in wrong(desk.check(desk.key.sign(claims)))


def test_without_keys_nothing_is_believed(desk: Desk) -> None:
    """What cannot be checked is told as such, and is no yes."""
    verdict = verify(desk.jwt(), Keys())
    assert not verdict.is_good
    assert states(verdict)["signature"] == "unknown"
    assert states(verdict)["leaf of consent_record"] == "unknown"
    assert states(verdict)["notice"] == "holds"


def test_every_change_after_signing_is_found(desk: Desk) -> None:
    """Each single value of the signed text changed: the signature does not fit any more."""
    header, _, signature = desk.jwt().split(b".")
    claims = desk.receipt.claims
    for path in paths(claims):
        again = desk.key.sign(changed(claims, path)).split(b".")[1]
        verdict = desk.check(b".".join([header, again, signature]))
        assert not verdict.is_good, path
        assert verdict.checks[0].state == "fails", path


def test_every_change_in_the_file_is_named(desk: Desk) -> None:
    """In the JSON file the changed text stands beside the signed one, so the very place is told."""
    claims, jws = desk.receipt.claims, desk.jwt().decode()
    for path in paths(claims):
        content = json.dumps({"jws": jws, "receipt": changed(claims, path)}).encode()
        assert "/".join(map(str, path)) in wrong(desk.check(content)), path


def test_what_the_town_itself_signs_falsely_is_named(desk: Desk) -> None:
    """A town that signs another story than its log holds: found in every value but names, and the time of signing."""
    claims = desk.receipt.claims
    names = {
        ("dct:publisher", "dpv:hasName"),
        ("dpv:hasRecordOfActivity", "dpv:hasService", "dct:title"),
        ("dpv:hasRecordOfActivity", "dpv:hasService", "dpv:hasProvider"),
    }
    elsewhere = {"iat": "dct:created", "schema": "schema"}  # where a change of it shows
    for path in paths(claims):
        verdict = desk.check(desk.key.sign(changed(claims, path)))
        assert verdict.is_good == (path in names), path
        if path in names or path[0] == "evidence":
            continue
        where = wrong(verdict)
        assert elsewhere.get(path[0], "/".join(map(str, path))) in where or path[0] in ("iss", "jti"), (
            path,
            where,
        )


def test_the_proof_of_another_entry_does_not_help(desk: Desk) -> None:
    """The leaf is recomputed from the record, so a proof of something else leads nowhere."""
    claims = copy.deepcopy(dict(desk.receipt.claims))
    one, other = claims["evidence"][:2]
    one["proof"], other["proof"] = other["proof"], one["proof"]
    verdict = desk.check(desk.key.sign(claims))
    assert states(verdict)["leaf of consent_record"] == "fails"
    assert wrong(verdict) == {"proof"}


def test_a_checkpoint_of_another_log_does_not_help(desk: Desk, signer: NoteSigner) -> None:
    """The same tree signed for another origin, or by another key of the same name."""
    mallory = NoteSigner("mallory.example/log", signer.public_key, signer.sign_raw)
    claims = copy.deepcopy(dict(desk.receipt.claims))
    for entry in claims["evidence"]:
        head, _, note = entry["proof"].partition("\n\n")
        text = note.partition("\n\n")[0].replace("riverton.example/log", "mallory.example/log") + "\n"
        entry["proof"] = f"{head}\n\n{mallory.sign(text)}"
    content = desk.key.sign(claims)
    for vkeys in ((signer.vkey,), (signer.vkey, mallory.vkey)):
        assert states(desk.check(content, log=vkeys))["leaf of consent_record"] == "fails"
    assert states(desk.check(content, log=(mallory.vkey,)))["leaf of consent_record"] == "fails"


def test_keys_of_another_town_do_not_fit(desk: Desk) -> None:
    """Another town's set, even if it had a key of the same name."""
    other = SigningKey()
    assert "kid" in wrong(desk.check(desk.jwt(), receipts=(SigningKey("r2").jwk,)))
    assert not desk.check(desk.jwt(), receipts=(other.jwk,)).is_good
    assert "iss" in wrong(desk.check(desk.jwt(), issuer="https://mallory.example"))


def test_a_key_is_believed_for_the_time_in_which_it_signed(desk: Desk) -> None:
    """Retired keys are published for ever, so that old receipts hold; nothing later than its last day does."""
    early, late = {**desk.key.jwk, "exp": CREATED - HOUR}, {**desk.key.jwk, "iat": CREATED + HOUR}
    assert desk.check(desk.jwt(), receipts=({**desk.key.jwk, "exp": CREATED + 1},)).is_good
    assert wrong(desk.check(desk.jwt(), receipts=(early,))) == {"iat"}
    assert wrong(desk.check(desk.jwt(), receipts=(late,))) == {"iat"}


def test_years_later_it_still_holds(desk: Desk) -> None:
    """A receipt has no end: nothing in it is compared with a clock."""
    old = desk.jwt()
    desk.town.now += 50 * 365 * 86_400
    assert desk.check(old).is_good


def test_a_policy_asks_for_witnesses(desk: Desk) -> None:
    """C2SP tlog-policy: without the quorum's cosignatures the receipt's place in the log is not believed."""
    vkey = desk.town.signer.vkey
    witness = VerifierKey("witness.example", COSIGNATURE_ED25519, b"\1" * 32).vkey
    lenient = policies.parse(f"log {vkey}\nquorum none\n")
    assert desk.check(desk.jwt(), policy=lenient).is_good
    strict = policies.parse(f"log {vkey}\nwitness library {witness}\nquorum library\n")
    verdict = desk.check(desk.jwt(), policy=strict)
    assert states(verdict)["leaf of consent_record"] == "fails"
    assert any("witnesses" in one.text for one in verdict.checks)


def test_the_notices_own_digest_is_recomputed(desk: Desk) -> None:
    """The fingerprint in the event is that of the words in the receipt, whatever they say."""
    notice = desk.receipt.evidence.notice
    assert notice_hash(notice) == notice["body_hash"] == desk.receipt.evidence.record["notice_hash"]
    assert notice_hash({**notice, "why": "Another reason"}) != notice["body_hash"]


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "consent-receipt", "application/consent-receipt+jwt", ""])
def test_no_other_token_passes_for_a_receipt(desk: Desk, typ: str) -> None:
    """RFC 8725 §3.11: what the same key signed for another end is refused by its type."""
    with pytest.raises(NotReadable, match="not a receipt"):
        desk.check(desk.key.sign(desk.receipt.claims, typ))


def test_the_two_types_are_not_mistaken_for_each_other(desk: Desk) -> None:
    """The short form's contents under the long form's type, and the reverse."""
    assert not desk.check(desk.key.sign(desk.receipt.paper, RECEIPT)).is_good
    assert not desk.check(desk.key.sign(desk.receipt.claims, PAPER)).is_good


def test_keys_are_read_with_care() -> None:
    """What a town publishes, and a clear word for anything else."""
    key = SigningKey().jwk
    found = read_keys(json.dumps({"keys": [key, {"kty": "RSA"}], "log_vkeys": [], "issuer": ISSUER}).encode())
    assert found.receipts == (key,)
    for content in (
        b"",
        b"[]",
        b'{"keys": 1}',
        b'{"keys": [], "keys": []}',
        b'{"keys": [], "log_vkeys": ["x"]}',
    ):
        with pytest.raises(NotReadable):
            read_keys(content)
    with pytest.raises(NotReadable, match="key of the log"):
        read_vkeys("riverton.example/log+00000000+AAAA")


def test_a_growing_log_leaves_receipts_as_they_are(desk: Desk) -> None:
    """An old receipt keeps its old proof; a new copy has one against the newer checkpoint."""
    old = desk.jwt()
    desk.town.release()
    assert integrate(
        desk.town.connection, desk.town.signer, origin="riverton.example/log", now=NOW + 3 * HOUR
    )
    assert desk.check(old).is_good
    assert desk.check(desk.jwt()).is_good
    assert desk.receipt.claims["evidence"][0]["proof"] not in old.decode()
