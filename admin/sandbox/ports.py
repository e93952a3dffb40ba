"""The ports of the demo: where each part is reached, and whether somebody else is there already."""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Final

from idp.serve import probe

#: The option of `denizen demo` behind each port.
OPTIONS: Final = {
    "residents": "--port-residents",
    "staff": "--port-staff",
    "mailbox": "--port-mailbox",
    "partners": "--port-partners",
}
HIGHEST: Final = 65_535


class PortProblem(Exception):
    """A port cannot be used; the text says which, and the way out."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One port for each part; partner apps count up from `partners`."""

    residents: int = 8400
    staff: int = 8401
    mailbox: int = 8402
    partners: int = 8410

    @property
    def issuer(self) -> str:
        """Address for residents; the issuer."""
        return _url(self.residents)

    @property
    def staff_url(self) -> str:
        """Address for staff."""
        return _url(self.staff)

    @property
    def mailbox_url(self) -> str:
        """Address of the mailbox page."""
        return _url(self.mailbox)

    @property
    def library_url(self) -> str:
        """Address of the library."""
        return _url(self.partners)

    @property
    def tax_url(self) -> str:
        """Address of the tax portal."""
        return _url(self.partners + 1)

    @property
    def neighbour_url(self) -> str:
        """Address of the neighbouring town's provider."""
        return _url(self.neighbour)

    @property
    def neighbour(self) -> int:
        """Port of the neighbouring town, after those of the partner apps."""
        return self.partners + 2

    def named(self) -> list[tuple[str, int]]:
        """Every port that is listened on, with the option that sets it."""
        given = [(OPTIONS[name], port) for name, port in asdict(self).items()]
        return [*given, (OPTIONS["partners"], self.partners + 1), (OPTIONS["partners"], self.neighbour)]


def check_ports(ports: Ports) -> None:
    """Refuse ports that are named twice or taken, before anything is started.

    Raises:
        PortProblem: with every port concerned and the option that moves it.
    """
    named = ports.named()
    often = Counter(port for _, port in named)
    problems = [
        f"Port {port} is asked for twice. Choose another with {option}."
        for option, port in named
        if often[port] > 1
    ]
    problems += [
        f"Port {port} is taken. End what uses it, or choose another port: {option} {_higher(port)}"
        for option, port in named
        if is_taken(port)
    ]
    if problems:
        raise PortProblem("\n".join(dict.fromkeys(problems)))


def is_taken(port: int) -> bool:
    """Whether somebody listens on this port of `localhost`, by its IPv4 or its IPv6 address."""
    return _is_refused("127.0.0.1", port) or _is_refused("::1", port)


def _is_refused(host: str, port: int) -> bool:
    try:
        probe(host, port)
    except OSError as error:
        # A machine without IPv6 has no such address, and so nobody on it.
        return error.errno in (errno.EADDRINUSE, errno.EACCES)
    return False


def _higher(port: int) -> int:
    return port + 1000 if port + 1000 < HIGHEST else port - 1000


def _url(port: int) -> str:
    return f"http://localhost:{port}"
