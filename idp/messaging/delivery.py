"""Delivery of the outbox by mail and text message: claimed before it is sent, tried again with growing pauses.

A message is claimed by one conditional write that also says when somebody else may take it over. That instant lies
beyond the longest time that a try can take, so two processes never send one message, and a crash loses none. A crash
between the gateway's yes and our note of it sends one message again; a database that is away meanwhile does not.
"""

from __future__ import annotations

import itertools
import logging
from time import sleep
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import update

from idp.db import is_unavailable
from idp.jobs import outgoing
from idp.jobs.outgoing import chance
from idp.messaging import limits
from idp.messaging.models import Message
from idp.messaging.outcomes import GatewayAway, TurnedDown
from idp.messaging.rules import LONGEST_REST, RETRIES, leaves_at
from idp.messaging.service import open_message
from idp.messaging.sms.gateway import Gateway
from idp.messaging.smtp import Postman
from keys.envelope import SealBroken

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.messaging.outcomes import Sent
    from idp.messaging.service import Content
    from idp.settings import Settings
    from idp.web.context import Context

log = logging.getLogger("denizen.messaging")

BATCH = 50
#: A claimed message belongs to who claimed it for this long, in seconds.
HOLD_FOR = 300
#: One run begins no further message after so many seconds; with the timeouts of one try it ends within a hold.
RUN_FOR = 30
#: The longest pause, in seconds, before it is tried again to write down that a message has left.
_LONGEST_PAUSE = 16


class Carrier(Protocol):
    """What takes messages of one channel out of the house."""

    def send(self, message: Message, content: Content, *, now: int) -> Sent:
        """Send one message, or raise TurnedDown or GatewayAway."""

    def close(self) -> None:
        """Let go of what is open."""


CARRIERS: dict[str, Callable[[Settings], Carrier]] = {"mail": Postman, "sms": Gateway}


class Courier:
    """Sends what is due on one channel."""

    def __init__(self, context: Context, channel: str = "mail") -> None:
        self._context = context
        self._channel = channel
        self._rest_until = 0
        self._failures = 0

    def deliver_due(self, now: int) -> int:
        """Send every message that is due, a batch at most; how many were sent. A gateway that was away rests."""
        if (
            now < self._rest_until <= now + 2 * LONGEST_REST
        ):  # further ahead than that, the clock was set back
            return 0
        carrier = CARRIERS[self._channel](self._context.settings)
        sent = 0
        try:
            for message in self._due(now):
                if self._context.clock() - now > RUN_FOR:
                    break
                sent += self._handle(carrier, message, now=now)
            self._failures = 0
        except GatewayAway as error:
            self._failures += 1
            self._rest_until = now + RETRIES.pause(self._failures, chance(), longest=60)
            log.warning("gateway unavailable channel=%s cause=%s", self._channel, error.cause)
        finally:
            carrier.close()
        return sent

    def _due(self, now: int) -> list[Message]:
        with self._context.database.reading() as session:
            return outgoing.due(session, Message, Message.channel == self._channel, now=now, limit=BATCH)

    def _handle(self, carrier: Carrier, message: Message, *, now: int) -> bool:
        """Everything about one message; True when it was sent.

        Raises:
            GatewayAway: after the message was put back.
        """
        if message.expires_at <= now:
            self._finish(message, "expired", message.trouble, now=now)
            return False
        if not self._claim(message, now=now):
            return False
        try:
            sent = carrier.send(message, open_message(self._context.vault, message), now=now)
        except TurnedDown as error:
            self._turned_down(message, error, now=now)
        except GatewayAway as error:
            rest = RETRIES.pause(message.attempts + 1, chance(), longest=LONGEST_REST)
            self._change(message, now=now, due_at=now + rest, trouble=error.cause)
            raise
        except SealBroken:
            self._give_up(message, "unreadable", now=now)
        except Exception as error:
            # A text that cannot be written, say. It must not hold up the others, and somebody must look at it.
            log.exception("message failed id=%s name=%s", message.id, message.name)
            self._give_up(message, type(error).__name__, now=now)
        else:
            self._note_sent(message, sent, now=now)
            log.info("message sent channel=%s name=%s id=%s", self._channel, message.name, message.id)
            return True
        return False

    def _claim(self, message: Message, *, now: int) -> bool:
        """Take a message, so that nobody else sends it meanwhile, nor we after a crash; False when it is not to leave."""
        with self._context.database.transaction() as session:
            if not outgoing.claim(session, Message, message, until=now + HOLD_FOR):
                return False
            held_back = self._held_back(session, message, now=now)
            if held_back:
                session.execute(
                    update(Message)
                    .where(Message.id == message.id, Message.state == "waiting")
                    .values(**held_back)
                )
        return not held_back

    def _held_back(self, session: Any, message: Message, *, now: int) -> dict[str, Any]:
        """What becomes of a message that may not leave now: a reminder by night, one code too many. Empty: it may."""
        rules, town = self._context.settings.messages, self._context.settings.town
        if message.kind == "reminder":
            leaves = leaves_at(
                now, quiet_from=rules.quiet_from, quiet_until=rules.quiet_until, time_zone=town.time_zone
            )
            return {"due_at": leaves, "attempts": message.attempts} if leaves > now else {}
        is_counted = (
            message.kind == "code" and message.attempts == 0 and not self._context.settings.testing.enabled
        )
        index = message.recipient_index if is_counted else None
        if index is not None and not limits.spend(session, index, rules, now=now):
            log.warning("message withheld id=%s name=%s reason=limit", message.id, message.name)
            return {"state": "withheld", "trouble": "limit", "content": None, "finished_at": now}
        return {}

    def _turned_down(self, message: Message, error: TurnedDown, *, now: int) -> None:
        refusals = message.refusals + 1
        if error.is_final or RETRIES.is_given_up(refusals):
            self._give_up(message, error.cause, now=now)
            return
        due_at = now + RETRIES.pause(refusals, chance())
        self._change(message, now=now, due_at=due_at, refusals=refusals, trouble=error.cause)

    def _give_up(self, message: Message, cause: str, *, now: int) -> None:
        """A dead letter: its content is kept for a while, so that it can be tried again."""
        self._change(message, now=now, state="dead", trouble=cause[:60], finished_at=now)
        log.error(
            "message given up channel=%s name=%s id=%s cause=%s",
            self._channel, message.name, message.id, cause,
        )  # fmt: skip

    def _note_sent(self, message: Message, sent: Sent, *, now: int) -> None:
        """Write down that a message has left; while the database is away, again and again as long as the hold lasts.

        A gateway that was given a message does not know it again: what is not written down leaves twice.
        """
        for tries in itertools.count(1):
            try:
                self._finish(message, "sent", "", now=now, reference=sent.reference[:64] or None)
            except Exception as error:
                pause = min(2 ** (tries - 1), _LONGEST_PAUSE)
                if not is_unavailable(error) or self._context.clock() + pause >= now + HOLD_FOR:
                    log.error("message sent, and not noted channel=%s id=%s", self._channel, message.id)  # noqa: TRY400 - the worker says why
                    raise
                sleep(pause)
            else:
                return

    def _finish(
        self, message: Message, state: str, trouble: str, *, now: int, reference: str | None = None
    ) -> None:
        """Empty the message: nothing of it is kept but that it existed."""
        values = {
            "state": state,
            "trouble": trouble,
            "reference": reference,
            "content": None,
            "finished_at": now,
        }
        self._change(message, now=now, **values)

    def _change(self, message: Message, *, now: int, **values: Any) -> None:  # noqa: ARG002
        """Write down what became of a message, unless somebody else has taken it over."""
        claims = message.attempts if values.get("state") == "expired" else message.attempts + 1
        with self._context.database.transaction() as session:
            outgoing.settle(session, Message, message.id, claims=claims, values=values)
