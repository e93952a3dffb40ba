"""Ports that are taken, and ports named twice."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from admin.cli import main
from admin.sandbox.ports import PortProblem, Ports, check_ports, is_taken
from tests.admin.sandbox.running import free_ports

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")]
)
def test_a_listener_on_any_address_of_localhost_counts(family: socket.AddressFamily, host: str) -> None:
    """A browser may take either address for `localhost`, and would reach the other program."""
    with socket.socket(family) as other:
        try:
            other.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no such address")
        other.listen()
        port = other.getsockname()[1]
        assert is_taken(port)
    assert not is_taken(port)


def test_the_way_out_is_named() -> None:
    """design/experience.md: which port, and the option that moves it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        free = free_ports()
        with pytest.raises(PortProblem, match=rf"Port {taken} is taken.*--port-staff \d+$"):
            check_ports(Ports(free.residents, taken, free.mailbox, free.partners))


def test_one_port_for_two_parts_is_refused() -> None:
    """The second partner app takes the port after the first."""
    free = free_ports()
    with pytest.raises(PortProblem, match="asked for twice") as refused:
        check_ports(Ports(free.residents, free.partners + 1, free.mailbox, free.partners))
    assert "--port-staff" in str(refused.value)
    assert "--port-partners" in str(refused.value)


def test_free_ports_pass() -> None:
    """The check leaves nothing behind that would take them."""
    ports = free_ports()
    check_ports(ports)
    check_ports(ports)


def test_the_last_ports_of_all_have_no_room_for_three(tmp_path: Path) -> None:
    """Two partner apps and the neighbouring town; said at once, by the option that moves them."""
    result = CliRunner().invoke(
        main, ["demo", "--folder", str(tmp_path / "demo"), "--port-partners", "65534"]
    )
    assert result.exit_code == 2
    assert "--port-partners" in result.stderr
    assert not (tmp_path / "demo").exists()
