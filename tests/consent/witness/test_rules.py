"""What a witness reads and decides (C2SP tlog-witness), without a server."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.log import open_checkpoint, root_hash
from consent.log.merkle import EMPTY_ROOT
from consent.witness.rules import (
    SIZE_TYPE,
    Asked,
    MalformedRequest,
    Seen,
    decide,
    parse_request,
    request_body,
)
from tests.consent.witness.watched import Log

TRUE, LIAR = Log(), Log(word="false")
SIZES = st.integers(min_value=0, max_value=80)


def answer_to(log: Log, old: int, size: int, seen: Seen, proof: list[bytes] | None = None) -> tuple[int, str]:
    note = log.note(size)
    asked = Asked(old, tuple(log.proof(old, size) if proof is None else proof), note)
    found = decide(asked, open_checkpoint(note, log.signer.vkey), seen)
    return found.status, found.body


def seen(size: int, log: Log = TRUE) -> Seen:
    return Seen(size, root_hash(log.leaves(size)))


@given(old=SIZES, more=SIZES)
def test_growth_is_signed_from_any_size_to_any(old: int, more: int) -> None:
    assert answer_to(TRUE, old, old + more, seen(old))[0] == 200


@given(old=st.integers(min_value=1, max_value=80), more=SIZES)
def test_another_tree_is_never_signed(old: int, more: int) -> None:
    """Neither of the same size nor a larger one, with whatever proof the liar can make."""
    assert answer_to(LIAR, old, old + more, seen(old))[0] in (409, 422)
    assert answer_to(LIAR, old, old + more, seen(old), TRUE.proof(old, old + more))[0] in (409, 422)


@given(known=SIZES, old=SIZES, size=SIZES)
def test_only_the_size_known_leads_on(known: int, old: int, size: int) -> None:
    """400 before 409: the old size is at most the checkpoint's, and what was cosigned last."""
    status, body = answer_to(TRUE, old, size, seen(known), [])
    if old > size:
        assert status == 400
    elif old != known:
        assert (status, body) == (409, f"{known}\n")


@pytest.mark.parametrize(
    ("old", "size", "proof", "status"),
    [
        (0, 3, [bytes(32)], 422),
        (3, 3, [bytes(32)], 422),
        (3, 5, [], 422),
        (3, 5, [*TRUE.proof(3, 5), bytes(32)], 422),
        (3, 5, TRUE.proof(3, 5)[:-1], 422),
        (3, 5, TRUE.proof(3, 5)[::-1], 422),
        (3, 5, TRUE.proof(3, 6), 422),
        (4, 5, TRUE.proof(3, 5), 422),
        (3, 3, [], 200),
    ],
)
def test_a_proof_must_be_the_one(old: int, size: int, proof: list[bytes], status: int) -> None:
    assert answer_to(TRUE, old, size, seen(old), proof)[0] == status


def test_a_conflict_tells_the_size_only_when_that_helps() -> None:
    """409 with `text/x.tlog.size` for another size; two trees of one size are another matter."""
    note = LIAR.note(5)
    checkpoint = open_checkpoint(note, LIAR.signer.vkey)
    assert decide(Asked(4, (), note), checkpoint, seen(5)).content_type == SIZE_TYPE
    split = decide(Asked(5, (), note), checkpoint, seen(5))
    assert (split.status, split.content_type == SIZE_TYPE) == (409, False)


def test_an_empty_tree_has_one_root() -> None:
    assert answer_to(TRUE, 0, 0, Seen())[0] == 200
    bad = TRUE.signer.sign(f"{TRUE.origin}\n0\n{base64.b64encode(bytes(32)).decode()}\n")
    assert decide(Asked(0, (), bad), open_checkpoint(bad, TRUE.signer.vkey), Seen()).status == 409
    assert Seen().root == EMPTY_ROOT


def test_what_is_sent_is_what_the_specification_shows() -> None:
    """The example request of tlog-witness, letter by letter."""
    body = (
        "old 20852014\n"
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
        "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
        "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
        "\n"
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    asked = parse_request(body.encode())
    assert (asked.old_size, len(asked.proof)) == (20852014, 4)
    assert request_body(asked.old_size, asked.proof, asked.note) == body


HASH = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0",
        b"old 0\n",
        b"old 0\nnote",
        b"old 00\n\nnote",
        b"old 01\n\nnote",
        b"old -1\n\nnote",
        b"old 1 \n\nnote",
        b"old\t1\n\nnote",
        b"Old 1\n\nnote",
        b"new 1\n\nnote",
        b"old 99999999999999999999\n\nnote",
        "old ٣\n\nnote".encode(),
        b"old 1\r\n\r\nnote",
        b"\nold 1\n\nnote",
        b"old 1\nAAAA\n\nnote",
        b"old 1\n!\n\nnote",
        f"old 1\n{HASH} \n\nnote".encode(),
        f"old 1\n{HASH[:-1]}\n\nnote".encode(),
        f"old 1\n{(HASH + chr(10)) * 64}\nnote".encode(),
        b"old 1\n\n\xff",
    ],
)
def test_a_malformed_request_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_request(body)


def test_63_lines_of_proof_are_read() -> None:
    assert len(parse_request(f"old 1\n{(HASH + chr(10)) * 63}\nnote".encode()).proof) == 63


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(body: bytes) -> None:
    """Nothing else comes out of reading than a request or MalformedRequest."""
    for start in (b"", b"old 1\n", b"old 1\n\n"):
        try:
            parse_request(start + body)
        except MalformedRequest:
            continue
