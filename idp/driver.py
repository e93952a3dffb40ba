"""The driver's connections to PostgreSQL: how they are made, and how long one waits for an answer (decision 0041)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from psycopg import Connection, errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.abc import PQGen

#: A network that was cut says nothing: what was sent is acknowledged within so many milliseconds, or the connection is over.
#: So is one on which nothing is sent, and the server's machine does not answer its kernel's questions.
_NETWORK = {
    "tcp_user_timeout": 30_000,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
#: So long whoever is in no hurry waits for a connection, in seconds.
_CONNECTED_WITHIN = 10
#: So much longer we wait than the server may work, in seconds, for its word that this was too long.
_LATER = 1
#: So long, in seconds, nobody asks anew after the server gave no answer; nor does a connect that fails sooner count as that.
_MOMENT = 1.0


class Server:
    """The server as this process knows it: how long it may take for an answer, and whether it lately gave none.

    `answers_within` is in seconds, for each statement; None for as long as it takes. Whoever asks while the server is
    known to be silent is told so at once, or every thread would stand and wait for it. Once in a moment one looks anew.
    """

    def __init__(self, answers_within: int | None) -> None:
        self.answers_within = answers_within
        self._silent_until = 0.0

    def connect(
        self, _dialect: object, _record: object, args: Sequence[Any], parameters: dict[str, Any]
    ) -> Driver:
        """A new connection, for SQLAlchemy's event `do_connect`. What the address of the database says comes first."""
        begun = time.monotonic()
        if begun < self._silent_until:
            raise errors.OperationalError("the database gave no answer a moment ago")
        within = self.answers_within or _CONNECTED_WITHIN
        if self._silent_until:
            self._silent_until = begun + within  # the others need not wait together with this one
        try:
            found = Driver.connect(*args, **{"connect_timeout": within, **_NETWORK, **parameters})
        except errors.Error:
            self._silent_until = 0.0
            if time.monotonic() - begun > _MOMENT:
                self.is_silent()
            raise
        self._silent_until = 0.0
        found.server = self
        return found

    def is_silent(self) -> None:
        """Note that no answer came."""
        if self.answers_within is not None:
            self._silent_until = time.monotonic() + _MOMENT

    @property
    def patience(self) -> float | None:
        """Seconds to wait for what the server says; None for ever."""
        return None if self.answers_within is None else self.answers_within + _LATER

    @property
    def limits(self) -> tuple[bytes, ...]:
        """What a new connection is told, so that the server gives up before we do; half as long for a lock."""
        if self.answers_within is None:
            return ()
        milliseconds = self.answers_within * 1000
        return (
            b"SET statement_timeout = %d" % milliseconds,
            b"SET lock_timeout = %d" % (milliseconds // 2),
        )


class Driver(Connection[Any]):
    """psycopg's connection, which waits no longer than its server may take."""

    server: Server

    def wait(self, gen: PQGen[Any], *args: Any, **more: Any) -> Any:
        """As psycopg's, which comes back to look every tenth of a second."""
        patience = self.server.patience
        within = gen if patience is None else self._within(gen, time.monotonic() + patience)
        return super().wait(within, *args, **more)

    def _within(self, gen: PQGen[Any], until: float) -> PQGen[Any]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() >= until:
                    self.give_up()
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value

    def give_up(self) -> None:
        """End a connection from which no answer came: what it may still say is the answer to nothing that comes later."""
        self.server.is_silent()
        self.close()
        raise errors.OperationalError("the database gave no answer in time")
