"""Cosignatures: C2SP tlog-cosignature, and verifier keys of every type (C2SP signed-note)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.log import NoteError, NoteSigner, open_checkpoint
from consent.log.cosignatures import Cosigner, cosigned_by, with_lines
from consent.log.notes import open_note, parse_vkey, sign_checkpoint
from consent.log.verifiers import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA_44,
    VerifierKey,
    cosigned_message,
    parse_verifier,
)
from consent.witness.keys import cosigner_of
from tests.consent.town import NOW, ORIGIN

FILE = json.loads((Path(__file__).parents[1] / "vectors" / "cosignatures.json").read_text())
VECTORS = FILE["vectors"]
TYPES = [COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44]
TEXT = f"{ORIGIN}\n7\n{base64.b64encode(bytes(range(32))).decode()}\n"


def note_of(signer: NoteSigner, text: str = TEXT) -> str:
    return signer.sign(text)


def witness(
    kind: int = COSIGNATURE_ED25519, name: str = "library.example/witness", seed: bytes = b"w"
) -> Cosigner:
    return cosigner_of(name, kind, seed * 32)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_cosignatures_of_others_are_read(vector: dict[str, str]) -> None:
    """What Go's packages write: keys, key ids, messages and times are as tlog-cosignature says."""
    found = cosigned_by(vector["note"], vector["vkey"])
    assert [one.name for one in found] == [parse_verifier(vector["vkey"]).name]
    assert found[0].at > 1_700_000_000
    assert open_note(vector["note"], vector["log_vkey"], vector["vkey"]) == vector["text"]
    assert open_note(vector["note"], vector["vkey"]) == vector["text"]
    assert open_note(vector["note"], vector["log_vkey"]) == vector["text"], "lines of others are passed over"


def test_published_signatures_open() -> None:
    """Vectors that others publish for their own tests: a log with a key of the new type, which is no witness of anything."""
    for vector in FILE["published"]:
        assert open_note(vector["note"], vector["vkey"]) == vector["text"]
        assert open_checkpoint(vector["note"], vector["vkey"]).origin == parse_verifier(vector["vkey"]).name
        with pytest.raises(NoteError):
            open_note(vector["note"].replace("\n1\n", "\n2\n"), vector["vkey"])


def test_what_is_signed_is_what_the_specification_says() -> None:
    """tlog-cosignature, Ed25519 signed message: its example."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    said = cosigned_message(COSIGNATURE_ED25519, "witness.example.com/w1", text, 1679315147)
    assert said.decode() == (
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    line = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
    blob = base64.b64decode(line.rpartition(" ")[2])
    assert int.from_bytes(blob[4:12], "big") == 1679315147
    assert len(blob) == 4 + 8 + 64


def test_an_ml_dsa_message_has_the_fields_of_its_structure() -> None:
    """tlog-cosignature, ML-DSA-44 signed message: cosigned_message with start 0 and end the size."""
    said = cosigned_message(
        COSIGNATURE_ML_DSA_44, "w", "o\n7\n" + base64.b64encode(bytes(32)).decode() + "\n", 9
    )
    assert said == b"subtree/v1\n\0" + b"\x01w" + (9).to_bytes(8, "big") + b"\x01o" + bytes(8) + (7).to_bytes(
        8, "big"
    ) + bytes(32)


@pytest.mark.parametrize("kind", TYPES)
def test_a_cosignature_says_who_and_when(kind: int, signer: NoteSigner) -> None:
    cosigner = witness(kind)
    note = with_lines(note_of(signer), cosigner.line(TEXT, NOW))
    found = cosigned_by(note, cosigner.key.vkey)
    assert [(one.name, one.at) for one in found] == [("library.example/witness", NOW)]
    assert found[0].line == note.splitlines()[-1]
    assert open_checkpoint(note, signer.vkey).size == 7


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    "changed",
    [
        lambda blob: blob[:4] + (NOW + 1).to_bytes(8, "big") + blob[12:],
        lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]),
        lambda blob: blob[:-1],
        lambda blob: blob + b"\0",
        lambda blob: blob[:4],
        lambda blob: blob[:4] + b"\xff" * 8 + blob[12:],
    ],
)
def test_a_cosignature_that_was_touched_spoils_the_note(kind: int, changed, signer: NoteSigner) -> None:
    """signed-note: if a signature from a known key fails to verify, reject the whole note."""
    cosigner = witness(kind)
    start, _, encoded = cosigner.line(TEXT, NOW).rpartition(" ")
    bad = f"{start} {base64.b64encode(changed(base64.b64decode(encoded))).decode()}"
    note = with_lines(note_of(signer), bad)
    with pytest.raises(NoteError):
        cosigned_by(note, cosigner.key.vkey)
    with pytest.raises(NoteError):
        open_note(note, signer.vkey, cosigner.key.vkey)
    assert open_note(note, signer.vkey) == TEXT, (
        "to those who do not know the witness it is a stranger's line"
    )


@pytest.mark.parametrize("kind", TYPES)
def test_a_cosignature_is_for_one_checkpoint(kind: int, signer: NoteSigner) -> None:
    """It does not hold under another size, another root or another origin."""
    cosigner = witness(kind)
    line = cosigner.line(TEXT, NOW)
    for other in (
        TEXT.replace("\n7\n", "\n8\n"),
        TEXT.replace("AAEC", "BBEC"),
        TEXT.replace("river", "liver"),
    ):
        assert other != TEXT
        with pytest.raises(NoteError, match="does not fit"):
            cosigned_by(with_lines(note_of(signer, other), line), cosigner.key.vkey)


def test_extension_lines_are_covered_or_refused(signer: NoteSigner) -> None:
    """An Ed25519 cosignature covers them; one by ML-DSA does not, so it is not believed there."""
    extended = f"{TEXT}an extension\n"
    old, new = witness(COSIGNATURE_ED25519), witness(COSIGNATURE_ML_DSA_44)
    assert cosigned_by(with_lines(note_of(signer, extended), old.line(extended, NOW)), old.key.vkey)
    with pytest.raises(NoteError):
        cosigned_by(with_lines(note_of(signer, extended), old.line(TEXT, NOW)), old.key.vkey)
    with pytest.raises(NoteError, match="extension"):
        cosigned_by(with_lines(note_of(signer, extended), new.line(TEXT, NOW)), new.key.vkey)


def test_types_are_never_taken_for_each_other(signer: NoteSigner) -> None:
    """The same bytes as a log's key and as a witness's have two ids; a log's signature is no cosignature."""
    key = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
    public = key.public_key().public_bytes_raw()
    as_log = NoteSigner("library.example/witness", public, key.sign)
    cosigner = witness()
    assert as_log.public_key == cosigner.key.public_key
    assert as_log.key_id != cosigner.key.key_id
    note = as_log.sign(TEXT)
    assert cosigned_by(note, cosigner.key.vkey) == []
    with pytest.raises(NoteError, match="no known key"):
        open_note(note, cosigner.key.vkey)
    with pytest.raises(NoteError, match="not a witness's"):
        cosigned_by(note, as_log.vkey)
    with pytest.raises(NoteError, match="not an Ed25519"):
        parse_vkey(cosigner.key.vkey)
    plain = sign_checkpoint(signer, origin=ORIGIN, size=7, root=bytes(32)).note
    assert cosigned_by(plain, cosigner.key.vkey) == []


def test_the_latest_of_several_counts(signer: NoteSigner) -> None:
    cosigner = witness()
    note = with_lines(note_of(signer), *(cosigner.line(TEXT, at) for at in (NOW, NOW + 9, NOW + 3)))
    assert [one.at for one in cosigned_by(note, cosigner.key.vkey)] == [NOW + 9]


@pytest.mark.parametrize("kind", TYPES)
def test_a_verifier_key_of_a_witness_must_agree_with_itself(kind: int) -> None:
    vkey = witness(kind).key.vkey
    assert parse_verifier(vkey) == witness(kind).key
    name, key_id, material = vkey.split("+", 2)
    shorter = base64.b64encode(base64.b64decode(material)[:-1]).decode()
    unknown = base64.b64encode(b"\x02" + bytes(32)).decode()
    for bad in (
        f"other+{key_id}+{material}",
        f"{name}+00000000+{material}",
        f"{name}+{key_id.upper()}x+{material}",
        f"{name}+{key_id}+{shorter}",
        f"{name}+{key_id}+{unknown}",
        f"{name}+{key_id}+",
        f"+{key_id}+{material}",
        f"a b+{key_id}+{material}",
    ):
        with pytest.raises(NoteError):
            parse_verifier(bad)


def test_a_name_too_long_for_ml_dsa_is_refused() -> None:
    """Field cosigner_name<1..2^8-1>."""
    with pytest.raises(NoteError, match="255"):
        cosigned_message(COSIGNATURE_ML_DSA_44, "w" * 256, TEXT, NOW)
    assert VerifierKey("w" * 256, COSIGNATURE_ED25519, bytes(32)).key_id


def test_control_characters_and_odd_line_ends_make_no_note(signer: NoteSigner) -> None:
    """signed-note: no ASCII control characters but newline; lines end with newline and nothing else."""
    note = note_of(signer)
    for bad in (note.replace("\n7\n", "\n7\r\n"), note + "\x00", note.replace(ORIGIN, f"{ORIGIN}\t")):
        with pytest.raises(NoteError):
            open_note(bad, signer.vkey)
    with pytest.raises(NoteError):
        open_note(signer.sign("text\r\n"), signer.vkey)
