"""Any gateway that takes an HTTP request: address, fields and the meaning of its answers come from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from idp.messaging.outcomes import GatewayAway, Sent, TurnedDown
from idp.messaging.sms.requests import Call

if TYPE_CHECKING:
    from idp.messaging.sms.requests import Reply
    from idp.settings import SmsSettings

_FIRST_SERVER_ERROR = 500
#: The credentials or the pace are wrong, not this message.
_ABOUT_US = frozenset({401, 402, 403, 407, 408, 425, 429})


def request(settings: SmsSettings, *, to: str, text: str, message_id: str) -> Call:
    """The request for one message. Values are put into fields, never into JSON or an address as text."""
    known = {"to": to, "text": text, "sender": settings.sender, "id": message_id}
    fields = _filled(settings.fields, known)
    if settings.format == "json":
        headers = {"Content-Type": "application/json", **settings.headers}
        return Call(settings.method, settings.url, headers, orjson.dumps(fields))
    if settings.format == "form":
        headers = {"Content-Type": "application/x-www-form-urlencoded", **settings.headers}
        return Call(settings.method, settings.url, headers, urlencode(fields).encode())
    joint = "&" if "?" in settings.url else "?"
    return Call(settings.method, f"{settings.url}{joint}{urlencode(fields)}", settings.headers, None)


def outcome(settings: SmsSettings, reply: Reply) -> Sent:
    """What the answer means, by the rule in the settings.

    Raises:
        TurnedDown, GatewayAway: when the message was not taken.
    """
    if reply.status in settings.success_status:
        if (
            settings.success_field
            and str(_at(reply.said, settings.success_field)) not in settings.success_values
        ):
            raise TurnedDown("gateway says no", is_final=False)
        found = _at(reply.said, settings.id_field) if settings.id_field else None
        return Sent(str(found) if isinstance(found, str | int) else "")
    if reply.status in settings.final_status:
        raise TurnedDown(f"http {reply.status}", is_final=True)
    if reply.status >= _FIRST_SERVER_ERROR or reply.status in _ABOUT_US:
        raise GatewayAway(f"http {reply.status}")
    raise TurnedDown(f"http {reply.status}", is_final=False)


def _filled(pattern: Any, known: dict[str, str]) -> Any:
    """The pattern with `{to}` and its like filled in, once each: what is filled in is not looked at again."""
    if isinstance(pattern, dict):
        return {name: _filled(value, known) for name, value in pattern.items()}
    if isinstance(pattern, list | tuple):
        return [_filled(value, known) for value in pattern]
    if not isinstance(pattern, str):
        return pattern
    parts = []
    rest = pattern
    while rest:
        before, brace, after = rest.partition("{")
        name, closed, tail = after.partition("}")
        parts.append(before)
        if not brace:
            break
        if closed and name in known:
            parts.append(known[name])
            rest = tail
        else:
            parts.append(brace)
            rest = after
    return "".join(parts)


def _at(said: Any, path: str) -> Any:
    """The value at a path such as `result.0.status`; None when there is none."""
    for step in path.split("."):
        if isinstance(said, dict):
            said = said.get(step)
        elif isinstance(said, list) and step.isdigit() and int(step) < len(said):
            said = said[int(step)]
        else:
            return None
    return said
