"""The gateway of the settings, for the courier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import phonenumbers

from idp.messaging.outcomes import TurnedDown
from idp.messaging.rules import plain_signs
from idp.messaging.sms import generic, twilio
from idp.messaging.sms.requests import call
from idp.messaging.texts import write_sms

if TYPE_CHECKING:
    from idp.messaging.models import Message
    from idp.messaging.outcomes import Sent
    from idp.messaging.service import Content
    from idp.settings import Settings


class Gateway:
    """Sends text messages."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, message: Message, content: Content, *, now: int) -> Sent:  # noqa: ARG002 - as every channel's
        """Send one text message.

        Raises:
            TurnedDown, GatewayAway: when it was not taken.
        """
        sms, to = self._settings.sms, str(content.to)
        if not sms.enabled:
            raise TurnedDown("no gateway in the settings", is_final=True)
        if sms.countries and country_of(to) not in sms.countries:
            raise TurnedDown("country not allowed", is_final=True)
        text = plain_signs(write_sms(self._settings, message.name, message.language, content.values))
        if sms.provider == "twilio":
            return twilio.outcome(call(twilio.request(sms, to=to, text=text), sms.ca_file))
        return generic.outcome(
            sms, call(generic.request(sms, to=to, text=text, message_id=message.id), sms.ca_file)
        )

    def close(self) -> None:
        """Nothing stays open between two messages."""


def country_of(number: str) -> str | None:
    """The country (ISO 3166-1) of an E.164 number; None when it belongs to none."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
