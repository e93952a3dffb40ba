"""Twilio's Messages API, version 2010-04-01: a form with To, From and Body, basic authentication, JSON answers."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from idp.messaging.outcomes import GatewayAway, Sent, TurnedDown
from idp.messaging.sms.requests import Call

if TYPE_CHECKING:
    from idp.messaging.sms.requests import Reply
    from idp.settings import SmsSettings

_CREATED = 201
_FIRST_SERVER_ERROR = 500
_BAD_REQUEST = 400
#: Twilio's error codes that concern this one message and will not pass: no such number, country not allowed, not
#: verified on a trial account, unsubscribed, no route, no mobile, no text, text too long.
_FINAL = frozenset({21211, 21408, 21602, 21605, 21608, 21610, 21612, 21614, 21617})
#: Those that concern every message: credentials, pace, the sender, a full queue.
_ABOUT_US = frozenset({20003, 20429, 21212, 21603, 21606, 21611, 21659, 21660})


def request(settings: SmsSettings, *, to: str, text: str) -> Call:
    """The request for one message (POST Accounts/{AccountSid}/Messages.json)."""
    sender = {"MessagingServiceSid": settings.service} if settings.service else {"From": settings.sender}
    pair = f"{settings.key or settings.account}:{settings.secret}"
    return Call(
        "POST",
        f"{settings.base_url}/2010-04-01/Accounts/{quote(settings.account, safe='')}/Messages.json",
        {
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        urlencode({"To": to, "Body": text, **sender}).encode(),
    )


def outcome(reply: Reply) -> Sent:
    """What the answer means: 201 with a `sid`, or an error with its `code`.

    Raises:
        TurnedDown, GatewayAway: when the message was not taken.
    """
    if reply.status == _CREATED:
        return Sent(str(reply.said.get("sid") or ""))
    code = reply.said.get("code")
    cause = f"twilio {code}" if isinstance(code, int) else f"http {reply.status}"
    if code in _FINAL:
        raise TurnedDown(cause, is_final=True)
    if code in _ABOUT_US:
        raise GatewayAway(cause)
    if reply.status == _BAD_REQUEST:
        raise TurnedDown(cause, is_final=False)
    # 401 and 403 are about our account, 404 about its SID, 429 about the pace, 5xx about Twilio: not this message.
    raise GatewayAway(cause)
