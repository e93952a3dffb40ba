"""What messaging is told by the layers above it: where a resident is reached, and how they say "this wasn't me".

A town is known here by its vault, which every caller of `tell` holds anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
class Reached:
    """A confirmed address or E.164 number, the id of the contact point that it is, and when it was confirmed."""

    to: str
    contact_id: str
    since_at: int


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a resident is reached now: contact points, and a postal address if it is known."""

    emails: tuple[Reached, ...] = ()
    phones: tuple[Reached, ...] = ()
    postal: PostalAddress | None = None


def _nowhere(_session: Session, _resident: Any) -> Reach:
    return Reach()


def _no_links(_session: Session, _resident: Any, readers: Sequence[Reached | None], _now: int) -> list[str]:
    return ["" for _ in readers]


def _printable(_session: Session, _resident_id: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Ports:
    """`not_me_links` gives each reader (None: by post) an address that freezes the account.

    `may_print` is False while an address is protected.
    """

    reach: Callable[[Session, Any], Reach] = field(default=_nowhere)
    not_me_links: Callable[[Session, Any, Sequence[Reached | None], int], list[str]] = field(
        default=_no_links
    )
    may_print: Callable[[Session, str], bool] = field(default=_printable)


_registered: WeakKeyDictionary[Vault, Ports] = WeakKeyDictionary()


def register(vault: Vault, ports: Ports) -> None:
    """Say how the residents of the town with this vault are reached (`idp.app` does, once a context is open)."""
    _registered[vault] = ports


def ports(vault: Vault) -> Ports:
    """The ports of a town; without any, nobody is reached."""
    return _registered.get(vault) or Ports()
