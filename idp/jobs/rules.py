"""When something that could not be sent is tried again; pure. Shared by mail, text messages and signals to partners."""

from __future__ import annotations

from dataclasses import dataclass

#: A pause is stretched by up to this part of it, so that not everything comes back at once.
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Retries:
    """Pauses between tries, in seconds; what is turned down once more after the last one is dead."""

    pauses: tuple[int, ...]

    def pause(self, tries: int, chance: float, *, longest: int | None = None) -> int:
        """Seconds to wait after so many failed tries (1 or more). `chance` is random, from 0 to 1."""
        plain = self.pauses[min(tries, len(self.pauses)) - 1]
        if longest is not None:
            plain = min(plain, longest)
        return plain + int(plain * JITTER * chance)

    def is_given_up(self, refusals: int) -> bool:
        """Whether something was turned down so often that it is dead."""
        return refusals > len(self.pauses)
