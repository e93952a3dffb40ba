"""What sign-in needs from the layers above it: the request that is being interrupted, and every factor of the town."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import current_app

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.login.passwords import Passwords
    from idp.login.ways import Ways


@dataclass(frozen=True, slots=True)
class Flow:
    """A partner's request that waits for a sign-in.

    `is_met`: the session of this browser answers it already. `wanted_acr`: the level it needs ("" for any).
    `raises`: the session lacks the level and nothing else, so what it proved counts. `policy_uri` and `tos_uri`: what
    the partner has to say on privacy and terms, in the language of the page, or "".
    """

    client_name: str
    login_hint: str
    form_targets: str
    next_url: str
    is_met: bool = False
    wanted_acr: str = ""
    raises: bool = False
    policy_uri: str = ""
    tos_uri: str = ""


@dataclass(frozen=True, slots=True)
class Ports:
    """What `create_app` wires.

    describe: the flow of a handle; None when it is unknown, over or of another browser.
    leads_to: where the answer to a flow of another browser may lead, for the policy of a page; "" when that is over.
    lost: the page for a flow that `describe` does not give.
    cancel: answers the partner that the resident turned back.
    signed_in: notes that the resident signed in for this very flow, in the transaction that begins the session.
    move: gives a waiting flow to another browser, whose cookie is given, and returns its new handle there.
    begun: notes that a resident has signed in, in the transaction that begins the session; it is given what was found
        besides (`Ways.besides`). A page of ours that must come before all others, or "".
    stop_changes: stops whatever waits to change a resident's contact points, in the transaction that ends a recovery.
    call_off: stops the change of how a resident signs in that waits, if any does, and tells them, in the transaction that
        changes their password: whoever began it may have known the former one.
    end_others: ends every session and family of tokens of a resident but for one session (its public name, or None).
    """

    passwords: Passwords
    ways: Ways
    describe: Callable[[str], Flow | None]
    leads_to: Callable[[str], str]
    lost: Callable[[str], Response]
    cancel: Callable[[str], Response]
    signed_in: Callable[[Any, str, int], None]
    move: Callable[[Session, str, str, int], str | None]
    begun: Callable[[Session, str, Mapping[str, Any], int], str]
    end_others: Callable[[Session, str, str | None, int], None]
    stop_changes: Callable[[Session, str, int], None]
    call_off: Callable[[Session, str, int], None]


def ports() -> Ports:
    """The ports of the current app."""
    found: Ports = current_app.extensions["denizen.login"]
    return found
