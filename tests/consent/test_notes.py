"""Signed notes and checkpoints: C2SP signed-note, tlog-checkpoint."""

import base64
import json
from pathlib import Path

import pytest

from consent.log import Checkpoint, NoteError, NoteSigner, open_checkpoint
from consent.log.notes import open_note, parse_vkey, sign_checkpoint

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "signed_note.json").read_text())
ROOT = bytes(range(32))


def test_the_published_note_opens() -> None:
    """C2SP signed-note: the example key and note."""
    assert open_note(VECTOR["note"], VECTOR["vkey"]) == VECTOR["text"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda note: note.replace("example message", "exemplary message"),
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note.removesuffix("\n"),
        lambda note: note.replace("— ", "- "),
        lambda note: note.replace("Uw2Q", "Vw2Q"),
        lambda note: note.replace("neyaQM=", "neyaQM"),
        lambda note: note.replace("example.com/foo", "example.com/bar"),
        lambda note: "x" * 300_000 + note,
        lambda note: "",
    ],
)
def test_a_damaged_note_does_not_open(damage) -> None:
    """Clients MUST reject a note that no known key signed, and malformed ones."""
    with pytest.raises(NoteError):
        open_note(damage(VECTOR["note"]), VECTOR["vkey"])


def test_signatures_of_unknown_keys_are_passed_over(signer: NoteSigner) -> None:
    """Verifiers MUST ignore signatures from unknown keys, even under a known name."""
    note = signer.sign("text\n")
    stranger = VECTOR["note"].splitlines()[-1]
    namesake = f"— {signer.name} {base64.b64encode(b'abcd' + bytes(64)).decode()}"
    assert open_note(f"{note}{stranger}\n{namesake}\n", signer.vkey) == "text\n"
    assert open_note(note, VECTOR["vkey"], signer.vkey) == "text\n"


def test_one_bad_signature_of_a_known_key_spoils_the_note(signer: NoteSigner) -> None:
    """If a signature from a known key fails to verify, reject the whole note."""
    bad = base64.b64encode(signer.key_id + bytes(64)).decode()
    with pytest.raises(NoteError, match="does not fit"):
        open_note(f"{signer.sign('text' + chr(10))}— {signer.name} {bad}\n", signer.vkey)


def test_a_checkpoint_says_origin_size_and_root(signer: NoteSigner) -> None:
    """C2SP tlog-checkpoint: three lines, then the signature."""
    signed = sign_checkpoint(signer, origin="riverton.example/log", size=7, root=ROOT)
    lines = signed.note.split("\n")
    assert lines[:4] == ["riverton.example/log", "7", base64.b64encode(ROOT).decode(), ""]
    assert lines[4].startswith("— riverton.example/log ")
    assert open_checkpoint(signed.note, signer.vkey) == signed == Checkpoint(ORIGIN, 7, ROOT, signed.note)


ORIGIN = "riverton.example/log"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n7\n",
        "\n7\n{root}\n",
        "o\n07\n{root}\n",
        "o\n-1\n{root}\n",
        "o\n7\nAAAA\n",
        "o\n7\n!\n",
        "o\nx\n{root}\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str, signer: NoteSigner) -> None:
    note = signer.sign(text.format(root=base64.b64encode(ROOT).decode()) or "\n")
    with pytest.raises(NoteError):
        open_checkpoint(note, signer.vkey)


def test_names_that_would_break_a_note_are_refused(signer: NoteSigner) -> None:
    """Key names MUST NOT contain spaces or plus; an origin is one line."""
    for name in ("", "a b", "a+b", "a\nb"):
        with pytest.raises(ValueError, match="name"):
            NoteSigner(name, signer.public_key, signer.sign_raw)
    with pytest.raises(ValueError, match="one line"):
        sign_checkpoint(signer, origin="a\n9", size=1, root=ROOT)


def test_a_verifier_key_must_agree_with_itself(signer: NoteSigner) -> None:
    assert parse_vkey(signer.vkey) == (signer.name, signer.public_key)
    name, key_id, material = signer.vkey.split("+", 2)
    for bad in (f"other+{key_id}+{material}", f"{name}+00000000+{material}", f"{name}+{key_id}+AAAA", name):
        with pytest.raises(NoteError):
            parse_vkey(bad)
