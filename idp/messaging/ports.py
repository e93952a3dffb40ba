"""What messaging is told by the layers above it: where a resident is reached, and how they say "this wasn't me".

A town is known here by its vault, which every caller of `tell` holds anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from keys.envelope import Vault


class Addressee(Protocol):
    """A resident, as far as messages need to know."""

    id: Any
    language: Any


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """Where a letter goes: the name, then the lines below it (street, postcode and town, country)."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a resident is reached now: confirmed addresses and E.164 numbers, and a postal address if it is known."""

    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    postal: PostalAddress | None = None


def _nowhere(_session: Session, _resident: Any) -> Reach:
    return Reach()


def _no_link(_session: Session, _resident: Any, _now: int) -> str:
    return ""


def _printable(_session: Session, _resident_id: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Ports:
    """`not_me_link` gives an address that freezes the account; `may_print` is False while an address is protected."""

    reach: Callable[[Session, Any], Reach] = field(default=_nowhere)
    not_me_link: Callable[[Session, Any, int], str] = field(default=_no_link)
    may_print: Callable[[Session, str], bool] = field(default=_printable)


_registered: WeakKeyDictionary[Vault, Ports] = WeakKeyDictionary()


def register(vault: Vault, ports: Ports) -> None:
    """Say how the residents of the town with this vault are reached (`idp.app` does, once a context is open)."""
    _registered[vault] = ports


def ports(vault: Vault) -> Ports:
    """The ports of a town; without any, nobody is reached."""
    return _registered.get(vault) or Ports()
