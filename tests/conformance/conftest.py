"""The town of `denizen conformance`: inside this process, with a clock that tests move, and served for real."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import RSAKey

from admin.sandbox.conformance.plan import Plan
from admin.sandbox.conformance.suite import printed
from admin.sandbox.conformance.town import Places, found_town
from idp.app import create_app, open_context
from idp.clients.models import ClientRow
from idp.jobs.stamps import CLIENTS, bump
from idp.settings import load
from idp.web.fetcher import Fetcher
from tests.conformance.fapi import DOOR_SECRET
from tests.conformance.hosted import Hosted
from tests.conformance.run import Run
from tests.conformance.suite import Suite, read_printed
from tests.conformance.transport import Https, InProcess
from tests.support.loopback import free_port
from tests.support.proving import jwks
from tests.support.riverton import DENIZEN, ROOT
from tests.support.tied import Tied
from tests.support.tls import make_authority
from tests.support.town import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from idp.web.context import Context
    from idp.web.pages import WebApp
    from tests.conformance.browser import Browser
    from tests.conformance.client import Way
    from tests.support.quick import RsaKeys
    from tests.support.tls import Authority


@dataclass(frozen=True)
class Inside:
    """The town in this process. `ca` signs the servers that tests stand up as the suite's own."""

    suite: Suite
    app: WebApp
    context: Context
    clock: Clock
    authority: Authority


@pytest.fixture(autouse=True)
def _differing_keys(rsa_keys: RsaKeys) -> None:
    rsa_keys.begin(anew=True)


@pytest.fixture(scope="session")
def inside(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Inside]:
    folder = tmp_path_factory.mktemp("conformance")
    shutil.copyfile(sqlite_template, folder / "denizen.sqlite")
    ours = tmp_path_factory.mktemp("suite")
    authority = make_authority(ours)
    places = Places("https://denizen.test:9443", "127.0.0.1", 9443, 9444, DOOR_SECRET)
    plan = Plan(suite_ca=authority.ca)
    told = json.loads(printed(found_town(folder, places, plan).told, places, plan.alias))
    clock = Clock(time.time())
    context = open_context(load(folder / "denizen.toml"), clock=clock)
    app = create_app(context)
    everywhere = Fetcher(context.settings.testing, resolve=lambda *_: ["127.0.0.1"])
    object.__setattr__(app.extensions["denizen.oidc"], "fetcher", everywhere)
    suite = Suite(told, lambda: InProcess(app, places.issuer), clock, clock.advance)
    yield Inside(suite, app, context, clock, authority)
    context.database.close()


@pytest.fixture
def suite(inside: Inside) -> Suite:
    """The suite before the town in this process. Each module has fresh browsers and its own requests."""
    return inside.suite


@pytest.fixture(scope="session")
def hosted(inside: Inside) -> Iterator[Hosted]:
    """The suite's own addresses, by HTTPS, with a certificate that the town trusts."""
    made = Hosted(inside.authority)
    with made.server:
        yield made


@pytest.fixture
def run(suite: Suite, hosted: Hosted, way: Way) -> Run:
    """A module of a plan for this way, with clients that are known from the start."""
    return Run(suite, way, hosted)


@pytest.fixture
def dynamic_run(suite: Suite, hosted: Hosted, way: Way) -> Run:
    """The same with clients that register themselves."""
    return Run(suite, way, hosted, is_dynamic=True)


@pytest.fixture(scope="session")
def browser(inside: Inside) -> Browser:
    """For modules that are not about signing in: after the first of them, the resident is known in it."""
    return inside.suite.browser()


@pytest.fixture
def rsa_key_of(inside: Inside) -> Callable[[str], RSAKey]:
    """Registers an RSA key of a client besides its own, for any algorithm, as far as the key says."""

    def register(client_id: str) -> RSAKey:
        key = RSAKey.generate_key(2048, {"kid": secrets.token_urlsafe(8), "use": "sig"})
        with inside.context.database.transaction() as session:
            row = session.get_one(ClientRow, client_id)
            keys = [*row.details["jwks"]["keys"], *jwks(key)["keys"]]
            assert "alg" not in keys[-1]
            row.details = {**row.details, "jwks": {"keys": keys}}
            bump(session, CLIENTS)
        inside.app.extensions["denizen.oidc"].forget()
        return key

    return register


@dataclass(frozen=True)
class Served:
    """`denizen conformance` as it runs, known by what it printed alone."""

    suite: Suite
    process: Tied
    printed: dict[str, Any]
    folder: Path
    ca: str


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    port, door = free_port(), free_port()
    command = [DENIZEN, "conformance", f"--issuer=https://localhost:{port}", f"--mtls-port={door}"]
    process = Tied(command, log=folder / "log", cwd=ROOT)
    told = read_printed(process.output)
    assert told, process.last_words()
    ca = folder / "ca.pem"
    ca.write_text(told["authority"])
    opened: list[Https] = []

    def new_send() -> Https:
        opened.append(Https(str(ca)))
        return opened[-1]

    yield Served(Suite(told, new_send, time.time, _no_waiting), process, told, folder, str(ca))
    for one in opened:
        one.close()
    process.stop()


def _no_waiting(_: float) -> None:
    raise AssertionError("nobody waits for a served town: what needs time runs inside this process")
