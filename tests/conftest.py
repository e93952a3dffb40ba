"""Fixtures for every test: databases on both engines, mail, Chromium. What starts them stands in `tests.support`."""

from __future__ import annotations

import secrets
import shutil
import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.support import chromium, postgres, redis, riverton, shared
from tests.support.founding import Founding, found, founded
from tests.support.quick import RsaKeys, shared_work
from tests.support.smtp import Mailbox
from tests.support.town import Town, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page
    from xdist.workermanage import WorkerController

ENGINES = ["sqlite", "postgresql"]

# Machines differ twentyfold in speed, so no example is timed.
hypothesis.settings.register_profile("denizen", deadline=None)
hypothesis.settings.load_profile("denizen")


def pytest_configure(config: pytest.Config) -> None:
    shared.open_folder(config)
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # so that a killed run ends what it started, too


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    node.workerinput["denizen_folder"] = str(node.config.stash[shared.FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    shared.close_folder(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def rsa_keys() -> Iterator[RsaKeys]:
    with shared_work() as keys:
        yield keys


@pytest.fixture(autouse=True)
def _differing_keys(rsa_keys: RsaKeys) -> None:
    rsa_keys.begin()


# --- databases ---


@pytest.fixture(scope="session")
def run_folder(pytestconfig: pytest.Config) -> Path:
    """The folder that all workers of this run share."""
    return pytestconfig.stash[shared.FOLDER]


@pytest.fixture(scope="session")
def postgresql_cluster(run_folder: Path) -> Iterator[postgres.Cluster]:
    """The run's PostgreSQL, started by the first worker that asks; it ends with the run."""
    folder = run_folder / "postgresql"
    with shared.locked(run_folder, "postgresql"):
        cluster = postgres.running(folder) or postgres.start(folder)
    with cluster.connected() as connected:
        yield connected


@pytest.fixture(scope="session")
def postgresql_template(postgresql_cluster: postgres.Cluster, run_folder: Path) -> str:
    """Name of a migrated database to copy; made once per run."""
    from idp.schema import upgrade_database

    with shared.locked(run_folder, "postgresql-template"):
        if not postgresql_cluster.has(postgres.TEMPLATE):
            postgresql_cluster.drop("unfinished")
            upgrade_database(postgresql_cluster.create("unfinished"))
            postgresql_cluster.rename("unfinished", postgres.TEMPLATE)
    return postgres.TEMPLATE


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a migrated database to copy; made once per worker."""
    from idp.schema import upgrade_database

    path = tmp_path_factory.mktemp("template") / "denizen.sqlite"
    upgrade_database(f"sqlite:///{path}")
    assert not path.with_name(f"{path.name}-wal").exists(), "upgrade_database left a connection open"
    return path


@pytest.fixture(scope="session")
def postgresql_founding(
    postgresql_cluster: postgres.Cluster, postgresql_template: str, run_folder: Path, rsa_keys: RsaKeys
) -> Founding:
    """What the database `postgres.FOUNDED` holds; made once per run."""
    with shared.locked(run_folder, "postgresql-founding"):
        if not postgresql_cluster.has(postgres.FOUNDED):
            url = postgresql_cluster.create("founding", template=postgresql_template)
            found(url, run_folder / "founded", rsa_keys)
            postgresql_cluster.rename("founding", postgres.FOUNDED)
    return founded(run_folder / "founded")


@pytest.fixture(scope="session")
def sqlite_founding(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, rsa_keys: RsaKeys
) -> Founding:
    """What the database beside its key file holds; made once per worker."""
    folder = tmp_path_factory.mktemp("founding")
    path = folder / "denizen.sqlite"
    shutil.copyfile(sqlite_template, path)
    found(f"sqlite:///{path}", folder / "town", rsa_keys)
    shutil.move(path, folder / "town")
    return founded(folder / "town")


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a database of this test's own, migrated to the newest version; once per engine.

    For a test that asks for the `founding` too, it is a copy of that town's.
    """
    is_founded = "founding" in request.fixturenames
    if request.param == "sqlite":
        source = request.getfixturevalue("sqlite_template")
        if is_founded:
            source = request.getfixturevalue("sqlite_founding").key_file.with_name("denizen.sqlite")
        path = tmp_path / "denizen.sqlite"
        shutil.copyfile(source, path)
        yield f"sqlite:///{path}"
    else:
        template = request.getfixturevalue("postgresql_template")
        if is_founded:
            request.getfixturevalue("postgresql_founding")
            template = postgres.FOUNDED
        yield from _own_database(request.getfixturevalue("postgresql_cluster"), template)


@pytest.fixture
def founding(request: pytest.FixtureRequest, database_url: str) -> Founding:
    """The keys, people and partners that this test's database begins with."""
    engine = database_url.partition(":")[0].partition("+")[0]
    made: Founding = request.getfixturevalue(f"{engine}_founding")
    return made


@pytest.fixture(params=ENGINES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a database of this test's own, without any table; once per engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
    else:
        yield from _own_database(request.getfixturevalue("postgresql_cluster"), "template0")


def _own_database(cluster: postgres.Cluster, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(8)}"
    yield cluster.create(name, template=template)
    cluster.drop(name)


# --- Redis ---


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.RedisServer]:
    """A Redis, once per worker."""
    server = redis.new_server(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(redis_process: redis.RedisServer) -> redis.RedisServer:
    """A Redis that runs and holds nothing."""
    if redis_process.process is None:
        redis_process.start()
    redis_process.flush()
    return redis_process


# --- mail ---


@pytest.fixture
def smtp() -> Iterator[Mailbox]:
    """A real SMTP server on a loopback port that keeps what it is sent."""
    with Mailbox() as running:
        yield running


# --- browser ---


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, one per worker."""
    from playwright.sync_api import expect, sync_playwright

    # A busy machine may take its time; Playwright's own five seconds are for a fast one.
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        running = chromium.launch(playwright)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh browser profile. The test fails when the page broke its own content security policy."""
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(15_000)
    broken: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            broken.append(message.text)

    context.on("console", note)
    yield context.new_page()
    context.close()
    assert not broken, broken


# --- the town ---


@pytest.fixture
def town(database_url: str, tmp_path: Path, founding: Founding) -> Iterator[Town]:
    """A town with people and partners on a database of its own; see `tests.support.town`."""
    made = make_town(database_url, tmp_path, founding=founding)
    yield made
    made.context.database.close()


@pytest.fixture(params=["short way", "full dispatch"])
def town_both_ways(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, founding: Founding
) -> Iterator[Town]:
    """The town, once with the short way of the hot endpoints and once through Flask's dispatch."""
    made = make_town(database_url, tmp_path, hot=request.param == "short way", founding=founding)
    yield made
    made.context.database.close()


# --- the sample town, served for real ---


@pytest.fixture(scope="session")
def riverton_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[riverton.Riverton]:
    """`denizen demo`, once per worker; see `tests.support.riverton`."""
    with riverton.demo_town(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="session")
def riverton_city(
    postgresql_cluster: postgres.Cluster, postgresql_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[riverton.Riverton]:
    """`denizen serve` on PostgreSQL, once per worker."""
    for url in _own_database(postgresql_cluster, postgresql_template):
        with riverton.city_town(url, tmp_path_factory.mktemp("city")) as running:
            yield running


@pytest.fixture(name="riverton", params=["demo on sqlite", "serve on postgresql"])
def served_riverton(request: pytest.FixtureRequest) -> riverton.Riverton:
    """The sample town, served once per engine; tests share it, so each takes residents of its own."""
    name = "riverton_demo" if request.param == "demo on sqlite" else "riverton_city"
    found: riverton.Riverton = request.getfixturevalue(name)
    return found
