"""Trust policies: which logs count, and which witnesses must have seen a checkpoint (C2SP tlog-policy). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from consent.log.cosignatures import cosigned_by
from consent.log.notes import Checkpoint, NoteError, open_checkpoint, split_note
from consent.log.verifiers import (
    COSIGNATURES,
    LOG_KEYS,
    VerifierKey,
    checkpoint_lines,
    parse_verifier,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NONE: Final = "none"
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
_LONGEST: Final = 1 << 20


class PolicyError(ValueError):
    """The text is no policy; the message names the line."""


@dataclass(frozen=True, slots=True)
class Known:
    """A log or a witness: its verifier key, and where it is reached if that is said."""

    vkey: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Members of which ``least`` must have seen a checkpoint."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A checkpoint that a listed log signed, the instant at which each witness cosigned it, and the verdict."""

    checkpoint: Checkpoint
    witnessed: Mapping[str, int]
    is_met: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs, witnesses and groups by their names in the policy, and the name of the quorum."""

    logs: tuple[Known, ...]
    quorum: str
    witnesses: Mapping[str, Known] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)

    def judge(self, note: str, *log_vkeys: str) -> Judgement:
        """Hold a checkpoint against the policy. ``log_vkeys`` are further logs that count, known from elsewhere.

        Raises NoteError when no log that counts has signed it, or a signature of a known key does not fit.
        """
        vkeys = (*(log.vkey for log in self.logs), *log_vkeys)
        origin, _, _ = checkpoint_lines(split_note(note)[0])
        # A log speaks for its own origin alone.
        checkpoint = open_checkpoint(note, *(one for one in vkeys if parse_verifier(one).name == origin))
        keys = {one.vkey: name for name, one in self.witnesses.items()}
        seen = {keys[one.vkey]: one.at for one in cosigned_by(note, *keys)}
        return Judgement(checkpoint, seen, self.has_quorum(seen))

    def has_quorum(self, witnesses: Iterable[str]) -> bool:
        """Whether these witnesses, by their names in the policy, are enough."""
        return self.quorum == NONE or self._has_seen(self.quorum, frozenset(witnesses))

    def _has_seen(self, name: str, witnesses: frozenset[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in witnesses
        return sum(self._has_seen(member, witnesses) for member in group.members) >= group.least

    def text(self) -> str:
        """The policy as a file."""
        lines = [f"log {one.vkey} {one.url}".rstrip() for one in self.logs]
        lines += [f"witness {name} {one.vkey} {one.url}".rstrip() for name, one in self.witnesses.items()]
        for name, group in self.groups.items():
            lines.append(f"group {name} {group.least} {' '.join(group.members)}")
        return "\n".join([*lines, f"quorum {self.quorum}", ""])


def policy_text(
    *, logs: Sequence[tuple[str, str]], witnesses: Sequence[tuple[str, str, str]], quorum: int
) -> str:
    """The policy of a town: ``logs`` as (vkey, url), ``witnesses`` as (name, vkey, url).

    ``quorum`` says how many of the witnesses are needed; without a witness nothing is asked for.
    """
    listed = tuple(Known(vkey, url) for vkey, url in logs)
    known = {name: Known(vkey, url) for name, vkey, url in witnesses}
    if not known or not quorum:
        return Policy(listed, NONE, known).text()
    group = next(name for name in ("witnesses", "all-witnesses", "the-witnesses") if name not in known)
    return Policy(listed, group, known, {group: Group(quorum, tuple(known))}).text()


def parse(text: str | bytes) -> Policy:
    """Read a policy file. Raises PolicyError with the line that is wrong."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")  # octets beyond ASCII mean nothing here
    if len(text) > _LONGEST:
        raise PolicyError("the policy is too long")
    reading = _Reading()
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            reading.take(line)
        except (PolicyError, NoteError) as error:
            raise PolicyError(f"line {number}: {error}") from None
    if reading.quorum is None:
        raise PolicyError("there is no quorum line")
    return Policy(tuple(reading.logs), reading.quorum, reading.witnesses, reading.groups)


class _Reading:
    """What was read so far."""

    def __init__(self) -> None:
        self.logs: list[Known] = []
        self.witnesses: dict[str, Known] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._log_keys: set[bytes] = set()
        self._witness_keys: set[bytes] = set()
        self._members: set[str] = set()

    def take(self, line: str) -> None:
        """Read one line."""
        if any((char < " " and char != "\t") or char == "\x7f" for char in line):
            raise PolicyError("a control character")
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if not words or words[0].startswith("#"):
            return
        readers = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}
        reader = readers.get(words[0])
        if reader is None:
            raise PolicyError("begins with none of log, witness, group, quorum")
        reader(words[1:])

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise PolicyError("write: log VKEY [URL]")
        key = self._key(words[0], LOG_KEYS, self._log_keys, "log")
        self.logs.append(Known(key.vkey, "".join(words[1:])))

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise PolicyError("write: witness NAME VKEY [URL]")
        name = self._new(words[0])
        key = self._key(words[1], COSIGNATURES, self._witness_keys, "witness")
        self.witnesses[name] = Known(key.vkey, "".join(words[2:]))

    def _key(self, vkey: str, types: Sequence[int], known: set[bytes], what: str) -> VerifierKey:
        key = parse_verifier(vkey)
        if key.type not in types:
            raise PolicyError(f"a key of this type is no {what}'s")
        if key.public_key in known:
            raise PolicyError(f"two {what}s have the same key")
        known.add(key.public_key)
        return key

    def _new(self, name: str) -> str:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise PolicyError(f"the name {name} is taken")
        return name

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:  # noqa: PLR2004 - a name, how many, and one member at least
            raise PolicyError("write: group NAME all|any|NUMBER MEMBER…")
        name, how, *members = words
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise PolicyError(f"{member} is not defined before")
            if member in self._members:
                raise PolicyError(f"{member} is a member already")
            self._members.add(member)
        self.groups[self._new(name)] = Group(_least(how, len(members)), tuple(members))

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise PolicyError("write: quorum NAME")
        if self.quorum is not None:
            raise PolicyError("a second quorum")
        if words[0] != NONE and words[0] not in self.witnesses and words[0] not in self.groups:
            raise PolicyError(f"{words[0]} is not defined before")
        self.quorum = words[0]


def _least(how: str, members: int) -> int:
    named = {"any": 1, "all": members}
    if how in named:
        return named[how]
    if not _NUMBER.fullmatch(how) or int(how) > members:
        raise PolicyError(f"write all, any, or a number from 1 to {members}")
    return int(how)
