"""One run of the demo: everything is started in order, watched, and ended together."""

from __future__ import annotations

import secrets
import signal
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from admin.sandbox.folder import FolderProblem, Town
from admin.sandbox.mailbox import MailStore, SmtpServer
from admin.sandbox.mailbox_site import create_mailbox
from admin.sandbox.neighbour import Neighbour
from admin.sandbox.ports import OPTIONS, Ports, check_ports
from admin.sandbox.printer import Printer
from admin.sandbox.processes import check_alive, start_children, stop_children, wait_until_ready
from admin.sandbox.sites import SiteServer
from admin.sandbox.watching import NAME, PATH, NeighbourWitness
from idp.schema import head_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from admin.sandbox.folder import Folder
    from admin.sandbox.processes import Child

_LOOK_EVERY: Final = 0.5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """Somebody asks the demo to end. Like KeyboardInterrupt it is no error, so nothing catches it by the way."""


def run_demo(
    folder: Folder, asked: Mapping[str, int], *, is_fresh: bool, announce: Callable[[Town], None]
) -> None:
    """Serve the sample town until a signal comes; `announce` is called once everything answers.

    `asked` has the ports that were named, by their names in `Ports`.

    Raises:
        PortProblem, FolderProblem: before anything is started or changed.
        ChildEnded: when a part of it ended by itself; the others are ended then.
    """
    ports, is_new = _plan(folder, asked, is_fresh=is_fresh)
    check_ports(ports)
    children: list[Child] = []
    with ending_with_signals(), ExitStack() as running:
        running.callback(in_peace, lambda: stop_children(children))
        # They take longest to make themselves ready, so they begin with that while the town is founded.
        children += start_children(folder.settings, residents=ports.residents, staff=ports.staff)
        town = _prepared(folder, ports, is_new=is_new)
        _open_sites(folder, town, running)
        for child in children:
            child.begin()
        wait_until_ready(children)
        announce(town)
        while True:
            check_alive(children)
            time.sleep(_LOOK_EVERY)


@contextmanager
def ending_with_signals() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into a quiet end of the block."""

    def end(*_: object) -> None:
        raise Ended

    before = {one: signal.signal(one, end) for one in _SIGNALS}
    try:
        yield
    except Ended:
        pass
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def in_peace(stop: Callable[[], None]) -> None:
    """Let nothing interrupt the ending: a second Ctrl-C would leave processes behind."""
    for one in _SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    stop()


def _plan(folder: Folder, asked: Mapping[str, int], *, is_fresh: bool) -> tuple[Ports, bool]:
    """The ports, and whether the town is to be made.

    A town keeps its ports: its partners are registered with their addresses, and its log bears its own.
    """
    kept = folder.read()
    if kept is None or is_fresh or not kept.is_seeded:
        return Ports(**asked), True
    for name, port in asked.items():
        had = getattr(kept.ports, name)
        if had != port:
            raise FolderProblem(
                f"The town in {folder.path} was made with {OPTIONS[name]} {had}, and its addresses stay. "
                f"Leave the option out, begin anew with --fresh, or make another town with --folder."
            )
    return kept.ports, False


def _prepared(folder: Folder, ports: Ports, *, is_new: bool) -> Town:
    if is_new:
        from admin.sandbox.found import found_town

        folder.clear()
        return found_town(folder, ports)
    town = folder.read()
    assert town is not None
    folder.write(town)  # the folder for mail may have been removed
    if folder.revision() != head_revision():
        from admin.sandbox.found import renew_town

        renew_town(folder)
    return town


def _open_sites(folder: Folder, town: Town, running: ExitStack) -> None:
    """Mailbox and partner apps, in this process; the settings learn where mail goes."""
    store = MailStore(folder.mail)
    gateway_secret = secrets.token_urlsafe(32)
    smtp = SmtpServer(store)
    running.callback(smtp.stop)
    smtp.start()
    neighbour = Neighbour(town.ports, secrets.token_urlsafe(32))
    witness = NeighbourWitness(folder.witness)
    witness.join(neighbour.flask)
    folder.write_settings(
        town.ports,
        smtp_port=smtp.port,
        gateway_secret=gateway_secret,
        neighbour_secret=neighbour.secret,
        witness={"name": NAME, "url": f"{town.ports.neighbour_url}{PATH}", "vkey": witness.vkey},
    )
    witness.watch(folder.settings)
    mailbox = create_mailbox(
        store,
        town.staff,
        [*town.residents, *town.card_only],
        staff_url=town.ports.staff_url,
        gateway_secret=gateway_secret,
    )
    printer = Printer(folder.settings, store)
    running.callback(printer.stop)
    printer.start()
    sites = [(mailbox, town.ports.mailbox), (neighbour.flask, town.ports.neighbour), *_partner_apps(town)]
    for app, port in sites:
        server = SiteServer(app, port)
        running.callback(server.stop)
        server.start()


def _partner_apps(town: Town) -> list[tuple[Any, int]]:
    from admin.sandbox.partner_app import PartnerApp, Registration
    from admin.sandbox.partner_sites import partner_sites

    secrets = {client["client_id"]: client["client_secret"] for client in town.clients}
    found = []
    for number, site in enumerate(partner_sites(town.ports)):
        registration = Registration(
            town.ports.issuer, site.client_id, secrets[site.client_id], f"{town.session_secret} {site.key}"
        )
        found.append((PartnerApp(site, registration).flask, town.ports.partners + number))
    return found
