"""The sample town, served for real: by `denizen demo` on SQLite, by `denizen serve` on PostgreSQL.

Both have the same residents, library and tax portal. On top comes what the tests bring: a street-report app
(`tests.support.relying_party`) whose tokens are in reach, and two clients for the interoperation tests.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from sqlalchemy import select

from admin.sandbox.partner_app import PartnerApp, Registration
from admin.sandbox.partner_sites import partner_sites
from admin.sandbox.ports import Ports, is_taken
from admin.sandbox.residents import RESIDENTS
from admin.sandbox.seed import seed
from admin.sandbox.sites import SiteServer
from idp.app import open_context
from idp.clients.service import Details, NewClient
from idp.messaging.models import Message
from idp.messaging.service import open_message
from idp.messaging.texts import write_letter
from idp.settings import load
from idp.upkeep import turn_keys
from keys.envelope import create_key_file
from tests.support import town
from tests.support.loopback import free_port
from tests.support.relying_party import RelyingParty
from tests.support.smtp import Mailbox, text_of
from tests.support.tied import Tied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
#: The command as it is installed beside this Python.
DENIZEN = Path(sys.executable).with_name("denizen")
#: Machines differ twentyfold in speed; no condition is waited for longer, in seconds.
PATIENCE = 60.0
_LINK = re.compile(r"https?://\S+")
_LOOK_EVERY = 0.03


@dataclass(frozen=True)
class Resident:
    """Somebody of the sample town."""

    username: str
    password: str
    name: str
    email: str
    district: str


@dataclass(frozen=True)
class Holder:
    """Somebody with a card and nothing else, and what is printed for them; codes in the order of their numbers."""

    name: str
    card_number: str
    pin: str
    paper_codes: tuple[str, ...]


@dataclass(frozen=True)
class Riverton:
    """The running town. `mails` gives the texts of all mails to an address, `letters` those of all letters to a name."""

    issuer: str
    library_url: str
    tax_url: str
    residents: dict[str, Resident]
    holder: Holder
    clients: dict[str, town.Partner]
    streets: RelyingParty
    mails: Callable[[str], list[str]]
    letters: Callable[[str], list[str]]
    staff_url: str = ""
    staff: dict[str, dict[str, str]] = field(default_factory=dict)
    settings: Path = Path()

    def link_in_mail(self, address: str, path: str) -> str:
        """The link below `path` that the town sends to an address, as soon as it arrives."""
        found: list[str] = []

        def has_arrived() -> bool:
            links = [link for text in self.mails(address) for link in _LINK.findall(text)]
            found[:] = [link for link in links if link.startswith(f"{self.issuer}{path}")]
            return bool(found)

        until(has_arrived, f"a mail with {path} arrives")
        return found[-1]


def until(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds.

    Raises:
        AssertionError: when it does not within `PATIENCE` seconds.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE} s in vain until {what}"
        time.sleep(_LOOK_EVERY)


# --- the two ways to serve it ---


@contextmanager
def demo_town(folder: Path) -> Iterator[Riverton]:
    """`denizen demo --json`, as shipped: SQLite, its own mailbox, its own partner apps."""
    ports = _free_ports()
    options = [f"--port-{name}={port}" for name, port in asdict(ports).items()]
    with ExitStack() as stack:
        process = Tied(
            [DENIZEN, "demo", "--json", "--folder", folder, *options], log=folder / "demo.log", cwd=ROOT
        )
        stack.callback(process.stop)
        line = process.output.readline()
        assert line, process.last_words()
        said = json.loads(line)
        streets, partners = _our_clients(folder / "denizen.toml")
        stack.enter_context(serving(streets))
        until(lambda: _knows(ports.issuer, partners), "the town has noticed its new clients")
        yield _riverton(
            ports,
            said,
            partners,
            streets,
            mails=_demo_mails(said["mailbox_url"]),
            letters=_demo_letters(said["mailbox_url"]),
            settings=folder / "denizen.toml",
        )


@contextmanager
def city_town(database_url: str, folder: Path) -> Iterator[Riverton]:
    """`denizen serve` on a migrated database, with a mail server and the partner apps beside it."""
    ports, settings = _free_ports(), folder / "denizen.toml"
    with ExitStack() as stack:
        mailbox = stack.enter_context(Mailbox())
        settings.write_text(_settings(ports, database_url, folder, mailbox))
        create_key_file(folder / "denizen.key")
        said, partners = _settle(settings, ports)
        streets, ours = _our_clients(settings)
        for server in (*_partner_apps(ports, partners), streets.server()):
            stack.callback(server.stop)
            server.start()
        process = Tied([DENIZEN, "--config", settings, "serve"], log=folder / "serve.log", cwd=ROOT)
        stack.callback(process.stop)
        staff = Tied(
            [DENIZEN, "--config", settings, "serve", "--only", "staff"], log=folder / "staff.log", cwd=ROOT
        )
        stack.callback(staff.stop)
        until(lambda: _is_up(process, ports.issuer), "the town answers")
        until(lambda: _is_up(staff, ports.staff_url), "the staff pages answer")
        mails, letters = partial(_texts, mailbox), partial(_waiting_letters, settings)
        yield _riverton(ports, said, ours, streets, mails=mails, letters=letters, settings=settings)


@contextmanager
def serving(streets: RelyingParty) -> Iterator[None]:
    """Serve the street-report app."""
    server = streets.server()
    server.start()
    yield
    server.stop()


def _riverton(
    ports: Ports,
    said: dict[str, Any],
    clients: dict[str, town.Partner],
    streets: RelyingParty,
    *,
    mails: Callable[[str], list[str]],
    letters: Callable[[str], list[str]],
    settings: Path,
) -> Riverton:
    samples = {one.username: one for one in RESIDENTS}
    people = {
        one["username"]: Resident(
            one["username"],
            one["password"],
            one["name"],
            samples[one["username"]].email or "",
            samples[one["username"]].on_register.get("district", ""),
        )
        for one in said["residents"]
    }
    (alone,) = said["card_only"]
    holder = Holder(alone["name"], alone["card_number"], alone["pin"], tuple(alone["paper_codes"]))
    return Riverton(
        ports.issuer,
        ports.library_url,
        ports.tax_url,
        people,
        holder,
        clients,
        streets,
        mails,
        letters,
        ports.staff_url,
        {one["role"]: one for one in said["staff"]},
        settings,
    )


def _free_ports() -> Ports:
    """Ports that nobody listens on now; the two partner apps need neighbours."""
    while True:
        found = Ports(free_port(), free_port(), free_port(), free_port())
        numbers = [port for _, port in found.named()]
        if len(set(numbers)) == len(numbers) and not any(
            map(is_taken, (found.partners + 1, found.neighbour))
        ):
            return found


def _is_up(process: Tied, issuer: str) -> bool:
    process.check()
    try:
        return requests.get(f"{issuer}/health", timeout=10).ok
    except requests.ConnectionError:
        return False


def _settings(ports: Ports, database_url: str, folder: Path, mailbox: Mailbox) -> str:
    return f"""
[server]
issuer = "{ports.issuer}"
staff_url = "{ports.staff_url}"
bind = "127.0.0.1:{ports.residents}"
staff_bind = "127.0.0.1:{ports.staff}"

[town]
name = "Riverton"
contact_email = "help@riverton.example"

[database]
url = "{database_url}"

[keys]
file = "{folder}/denizen.key"

[mail]
host = "{mailbox.host}"
port = {mailbox.port}
security = "none"
sender = "denizen@riverton.example"

[testing]
allow_loopback = true
"""


def _settle(settings: Path, ports: Ports) -> tuple[dict[str, Any], dict[str, Any]]:
    """Residents, partners and clients of the sample town, as the demo seeds them."""
    context = open_context(load(settings))
    now = int(context.clock())
    turn_keys(context, now=now)
    with context.database.transaction() as session:
        made_up = seed(session, context, ports, now=now)
    context.database.close()
    said = {"residents": made_up.residents, "card_only": made_up.card_only, "staff": made_up.staff}
    return said, {one["client_id"]: one for one in made_up.clients}


def _partner_apps(ports: Ports, clients: dict[str, Any]) -> list[SiteServer]:
    servers = []
    for number, site in enumerate(partner_sites(ports)):
        registration = Registration(
            ports.issuer, site.client_id, clients[site.client_id]["client_secret"], f"session {site.key}"
        )
        servers.append(SiteServer(PartnerApp(site, registration).flask, ports.partners + number))
    return servers


# --- what the tests bring ---

_ALL_GRANTS = ("authorization_code", "refresh_token", "client_credentials")
_SCOPES = ("openid", "profile", "email", "residence", "offline_access", "reports:write")


def _our_clients(settings: Path) -> tuple[RelyingParty, dict[str, town.Partner]]:
    """Register the tests' own clients, beside the running town if it runs."""
    port = free_port()
    streets_url = f"http://localhost:{port}"
    loaded = load(settings)
    context = open_context(loaded, checkpoints=False)
    now = int(context.clock())

    def add(new: NewClient, **purpose: Any) -> town.Partner:
        return town._client(session, context, new, new.name, now=now, **purpose)

    with context.database.transaction() as session:
        streets = add(_streets(streets_url), required=("district",), optional=("email",))
        ours = [
            add(_interop("ES256", "client_secret_basic"), required=("name",), optional=("email",)),
            add(_interop("RS256", "client_secret_post"), basis="public_task", required=("name", "email")),
        ]
    context.database.close()
    app = RelyingParty(loaded.server.issuer, streets, "openid email residence offline_access", port)
    return app, {one.client_id: one for one in (streets, *ours)}


def _streets(url: str) -> NewClient:
    return NewClient(
        "Riverton Street Reports",
        (f"{url}/callback",),
        client_id="riverton-streets",
        grant_types=_ALL_GRANTS[:2],
        scopes=_SCOPES[:-1],
        home_url=f"{url}/",
        post_logout_redirect_uris=(f"{url}/bye",),
        details=Details(frontchannel_logout_uri=f"{url}/front-channel-logout"),
    )


def _interop(algorithm: str, method: str) -> NewClient:
    return NewClient(
        f"Interoperation {algorithm}",
        (f"http://localhost/{algorithm}/callback",),
        client_id=f"interop-{algorithm.lower()}",
        token_endpoint_auth_method=method,
        id_token_signed_response_alg=algorithm,
        post_logout_redirect_uris=(f"http://localhost/{algorithm}/bye",),
        grant_types=_ALL_GRANTS,
        scopes=_SCOPES,
    )


def _knows(issuer: str, clients: dict[str, town.Partner]) -> bool:
    """Whether the running town takes authorization requests of these clients (it caches for up to a second)."""
    return all(
        requests.get(
            f"{issuer}/authorize",
            params=least_request(one),
            allow_redirects=False,
            timeout=10,
        ).status_code
        == 303
        for one in clients.values()
    )


def least_request(partner: town.Partner) -> dict[str, str]:
    """The least authorization request."""
    return {
        "response_type": "code",
        "client_id": partner.client_id,
        "redirect_uri": partner.redirect_uri,
        "scope": "openid",
        "code_challenge": town.Proof().challenge,
        "code_challenge_method": "S256",
    }


# --- mail ---


def _demo_mails(mailbox_url: str) -> Callable[[str], list[str]]:
    def mails(address: str) -> list[str]:
        kept = requests.get(f"{mailbox_url}/messages.json", timeout=10).json()
        return [mail["text"] for mail in reversed(kept) if mail["to"] == address]

    return mails


def _demo_letters(mailbox_url: str) -> Callable[[str], list[str]]:
    def letters(name: str) -> list[str]:
        kept = requests.get(f"{mailbox_url}/messages.json", timeout=10).json()
        return [
            one["text"] for one in reversed(kept) if one["kind"] == "letter" and one["to"].startswith(name)
        ]

    return letters


def _waiting_letters(settings: Path, name: str) -> list[str]:
    """What waits in the outbox for the print shop, which this town has none of."""
    context = open_context(load(settings), checkpoints=False)
    with context.database.reading() as session:
        rows = session.execute(
            select(Message)
            .where(Message.channel == "letter", Message.state == "waiting")
            .order_by(Message.created_at)
        ).scalars()
        waiting = [(row, open_message(context.vault, row)) for row in rows]
        found = [
            "\n\n".join(write_letter(context.settings, row.name, row.language, content.values).paragraphs)
            for row, content in waiting
            if content.to["name"] == name
        ]
    context.database.close()
    return found


def _texts(mailbox: Mailbox, address: str) -> list[str]:
    return [text_of(mail) for mail in mailbox.messages if mail["To"] == address]
