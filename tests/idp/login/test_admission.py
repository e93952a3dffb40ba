"""Admission to password hashing: bounded, shed at once, and never in anybody else's way."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from idp import gate as gate_module
from idp.gate import Gate
from idp.login import busy
from idp.login.admission import Admission, Busy, admission_of
from idp.login.budgets.models import Budget, FailureStreak
from idp.login.models import BrowserSession
from idp.messaging.models import Message
from idp.messaging.service import open_message
from idp.settings import PasswordSettings
from idp.signup.models import SignUpLink
from tests.admin.office import open_office
from tests.support.settled import SCOPE
from tests.support.town import ISSUER, hidden_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.town import Browser, Town

PATIENCE = 20


class Hashing:
    """So many threads in their turn, which they leave when they are told."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.pool = ThreadPoolExecutor(32)
        self.leave = threading.Event()
        self.lock = threading.Lock()
        self.now = self.most = self.done = 0

    def start(self, count: int) -> list[Any]:
        return [self.pool.submit(self._hash) for _ in range(count)]

    def _hash(self) -> None:
        self.admission.run(self._work)

    def _work(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.leave.wait(PATIENCE)
        with self.lock:
            self.now -= 1
            self.done += 1

    def wait_for(self, hashing: int, inside: int) -> None:
        """Until so many have their turn, and so many are inside with those who wait."""
        until = time.monotonic() + PATIENCE
        while self.now != hashing or self.admission._inside != inside:
            assert time.monotonic() < until
            threading.Event().wait(0.001)

    def close(self) -> None:
        self.leave.set()
        self.pool.shutdown()


@pytest.fixture
def hashing() -> Iterator[Callable[[Admission], Hashing]]:
    made: list[Hashing] = []

    def make(admission: Admission) -> Hashing:
        made.append(Hashing(admission))
        return made[-1]

    yield make
    for one in made:
        one.close()


def shed(admission: Admission) -> Busy:
    with pytest.raises(Busy) as refused:
        admission.run(lambda: pytest.fail("it had its turn"))
    return refused.value


def test_so_many_hash_at_once_and_the_others_wait(hashing: Callable[[Admission], Hashing]) -> None:
    """performance.md: waiting time is bounded, because nobody is let in who would wait long."""
    admission = Admission(at_once=2, queue=3, longest_wait=PATIENCE)
    work = hashing(admission)
    running = work.start(5)
    work.wait_for(hashing=2, inside=5)
    assert 2 <= shed(admission).retry_after <= 6
    work.leave.set()
    for one in running:
        one.result(PATIENCE)
    assert (work.most, work.done, admission._inside) == (2, 5, 0)


def test_whoever_would_wait_too_long_is_shed_at_once(hashing: Callable[[Admission], Hashing]) -> None:
    """By what hashes took so far: four seconds each leave no room for a third."""
    admission = Admission(at_once=2, queue=16, longest_wait=3)
    admission._typical = 4.0
    work = hashing(admission)
    work.start(3)
    work.wait_for(hashing=2, inside=3)
    start = time.perf_counter()
    shed(admission)
    assert time.perf_counter() - start < 1


def test_a_turn_that_does_not_come_in_time_is_given_up(hashing: Callable[[Admission], Hashing]) -> None:
    """An estimate may be wrong; the wait is bounded all the same, and the place is free again."""
    admission = Admission(at_once=1, queue=4, longest_wait=0.05)
    admission._typical = 0.0
    work = hashing(admission)
    work.start(1)
    work.wait_for(hashing=1, inside=1)
    shed(admission)
    assert admission._inside == 1


def test_whoever_holds_a_place_is_not_sent_away_any_more(hashing: Callable[[Admission], Hashing]) -> None:
    """Their guess is counted already: to give up now would count one that nobody looked at."""
    admission = Admission(at_once=1, queue=4, longest_wait=0.05)
    admission._typical = 0.0
    work = hashing(admission)
    work.start(1)
    work.wait_for(hashing=1, inside=1)

    def hold() -> int:
        with admission.place():
            return admission.run(lambda: 5)

    holder = work.pool.submit(hold)
    work.wait_for(hashing=1, inside=2)
    shed(admission)  # which waits for as long as anybody waits at all
    work.leave.set()
    assert holder.result(PATIENCE) == 5


def test_a_place_is_sure_of_its_turn_and_given_back_whatever_happens() -> None:
    """A sign-in takes its place before its first database work, and may hash twice in it."""
    admission = Admission(at_once=1, queue=0, longest_wait=PATIENCE)
    for error in (None, ValueError):
        try:
            with admission.place():
                assert admission.run(lambda: 1) == 1
                assert admission.run(lambda: admission._inside) == 1
                if error:
                    raise error
        except ValueError:
            pass
        assert admission._inside == 0


def test_an_estimate_follows_what_hashes_take() -> None:
    """A fast machine lets more in than a slow one."""
    admission = Admission(at_once=1, queue=4, longest_wait=PATIENCE)
    for _ in range(60):
        admission.run(lambda: None)
    assert admission._typical < 0.01


def test_the_apps_of_a_process_share_one_admission(town: Town) -> None:
    """Residents and staff sign in on the same processors; a process more has a share less."""
    office = open_office(town)
    of_staff = office.app.extensions["denizen.staff"].admission
    assert town.app.extensions["denizen.login"].passwords.admission is of_staff is admission_of(town.settings)
    many = town.settings.model_copy(
        update={"server": town.settings.server.model_copy(update={"workers": 64})}
    )
    assert admission_of(many)._at_once == 1
    throttle = town.settings.throttle.model_copy(update={"hashes": 3})
    chosen = admission_of(town.settings.model_copy(update={"throttle": throttle}))
    assert (chosen._at_once, chosen.places) == (3, 19)


def test_hashing_cannot_hold_every_thread_of_the_server(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hashes or waits has threads beside those of everybody else."""
    from idp import serve

    given: dict[str, Any] = {}

    class Recorder:
        def __init__(self, _target: str, **options: Any) -> None:
            given.update(options)

        def serve(self, **_: Any) -> None:
            pass

    monkeypatch.setattr(serve, "Granian", Recorder)
    monkeypatch.setattr(serve, "_empty_environment", lambda: None)
    serve.serve(town.settings, load_staff_app=lambda: lambda _: None)
    others = given["blocking_threads"] - admission_of(town.settings).places
    assert others >= town.settings.threads >= 1


def test_errors_of_the_work_reach_who_asked() -> None:
    """A wrong password is an exception of the library, on another thread."""
    admission = Admission(at_once=1, queue=0, longest_wait=PATIENCE)
    with pytest.raises(ZeroDivisionError):
        admission.run(lambda: 1 // 0)
    assert admission._inside == 0


def test_threads_that_hash_stand_back_behind_those_that_answer() -> None:
    """Refreshing takes a moment, and gets it though every core is hashing."""
    admission = Admission(at_once=1, queue=0, longest_wait=PATIENCE)
    assert admission.run(lambda: os.getpriority(os.PRIO_PROCESS, 0)) == os.getpriority(os.PRIO_PROCESS, 0) + 5


def test_whoever_waits_for_a_hash_lets_another_request_through(
    hashing: Callable[[Admission], Hashing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a gate for one, a second request passes while the first waits, and comes back in turn."""
    monkeypatch.setattr(gate_module, "_LOOK_EVERY", PATIENCE)
    admission = Admission(at_once=1, queue=4, longest_wait=PATIENCE)
    work = hashing(admission)
    entered: list[str] = []

    def app(environ: dict[str, str], _start_response: Any) -> list[bytes]:
        entered.append(environ["name"])
        if environ["name"] == "sign-in":
            admission.run(work._work)
        return []

    gate = Gate(app, at_once=1)
    first = work.pool.submit(gate, {"name": "sign-in"}, None)
    work.wait_for(hashing=1, inside=1)
    work.pool.submit(gate, {"name": "refresh"}, None).result(PATIENCE)
    assert entered == ["sign-in", "refresh"]
    work.leave.set()
    assert first.result(PATIENCE) == []
    assert gate.free == 1


def test_a_gate_lets_so_many_through_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one as soon as one is done, whatever came of it."""
    monkeypatch.setattr(gate_module, "_LOOK_EVERY", PATIENCE)
    inside, most, leave = [0], [0], threading.Event()
    lock = threading.Lock()

    def app(environ: dict[str, Any], _start_response: Any) -> list[bytes]:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        assert leave.wait(PATIENCE)
        with lock:
            inside[0] -= 1
        if not environ["works"]:
            raise ValueError
        return []

    gate = Gate(app, at_once=2)
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(gate, {"works": number % 2}, None) for number in range(6)]
        leave.set()
        failed = [one.exception(PATIENCE) is not None for one in running]
    assert failed == [True, False] * 3
    assert most[0] <= 2
    assert gate.free == 2


# --- what people see ---


@pytest.fixture
def full(town: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """The town in a storm: every place is taken."""
    admission = town.app.extensions["denizen.login"].passwords.admission
    monkeypatch.setattr(admission, "_inside", admission.places)
    yield town
    assert admission._inside == admission.places, "a request that was shed gave a place back"


def open_login(browser: Browser) -> None:
    browser.get("/login?next=/privacy")


def test_a_sign_in_that_is_shed_costs_nothing_and_keeps_what_was_typed(full: Town) -> None:
    """503 with Retry-After; no guess is counted, the name stays in the form, the password does not."""
    browser = full.browser()
    open_login(browser)
    answer = browser.submit("/login", username="maria", password="a secret of Maria's")
    assert answer.status_code == 503
    assert 2 <= int(answer.headers["Retry-After"]) <= 6
    assert "a secret" not in answer.text
    assert full.rows(Budget) == full.rows(FailureStreak) == full.rows(BrowserSession) == []
    page = browser.submit("/login")
    assert page.status_code == 422
    assert 'value="maria"' in page.text
    assert hidden_fields(page.text, "/login")["next"] == "/privacy"


def test_the_answer_that_is_kept_ready_is_the_one_that_was_made(
    full: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of a language is made by Flask, the next ones before it: alike to the byte, but for what was typed."""
    monkeypatch.setattr(full.app.extensions["denizen.login"].passwords.admission, "_come_back", lambda: 3)
    made: list[str] = []
    render = busy.render_template
    monkeypatch.setattr(busy, "render_template", lambda *a, **k: made.append("") or render(*a, **k))
    for language in ("en", "fr"):
        browser = full.browser()
        browser.get(f"/login?next=/privacy&lang={language}")
        fields = hidden_fields(browser.last.text, "/login")  # type: ignore[union-attr]
        first, second = (
            browser.post("/login", {**fields, "username": name, "password": "a secret"})
            for name in ("<ana>", "<bob>")
        )
        assert first.status_code == second.status_code == 503
        assert sorted(first.headers) == sorted(second.headers)
        assert first.text == second.text.replace("bob", "ana")
        assert "&lt;bob&gt;" in second.text
        assert "a secret" not in second.text
        assert f'lang="{language}"' in second.text
    assert len(made) == 2


def test_after_the_storm_the_same_browser_goes_on(full: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the page that asked to come back, with the password typed once more."""
    browser = full.browser()
    open_login(browser)
    browser.submit("/login", username="maria", password=full.maria.password)
    with monkeypatch.context() as patch:
        patch.setattr(full.app.extensions["denizen.login"].passwords.admission, "_inside", 0)
        browser.submit("/login")
        answer = browser.submit("/login", username="maria", password=full.maria.password)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/privacy")


def test_all_else_goes_on_in_a_storm(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, refresh, userinfo, the page itself and passkeys need no place."""
    tokens = town.tokens(town.library, town.maria, SCOPE)
    admission = town.app.extensions["denizen.login"].passwords.admission
    monkeypatch.setattr(admission, "_inside", admission.places)
    browser = town.browser()
    assert browser.get("/jwks").status_code == 200
    assert town.userinfo(tokens["access_token"]).status_code == 200
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 200
    assert browser.get("/login").status_code == 200
    assert (
        browser.post(
            "/login/passkey/options", hidden_fields(browser.get("/login").text, "/login/passkey")
        ).status_code
        == 200
    )


def confirm_link(town: Town) -> str:
    """The link of the only mail about a sign-up, as a path."""
    (message,) = [one for one in town.rows(Message) if one.name == "confirm_sign_up"]
    link: str = open_message(town.context.vault, message).values["link"]
    return link.removeprefix(ISSUER)


def test_a_sign_up_that_is_shed_keeps_its_link(full: Town) -> None:
    """Nothing is spent, and the names that were typed are still there."""
    browser = full.browser()
    browser.get("/signup")
    browser.submit("/signup", email="new@example.org")
    browser.get(confirm_link(full))
    typed = {"given_name": "Ada", "family_name": "Nwosu", "username": "", "password": "seven green kites fly"}
    answer = browser.submit("/signup/confirm", **typed)
    assert answer.status_code == 503
    assert "seven green" not in answer.text
    assert [row.spent_at for row in full.rows(SignUpLink)] == [None]
    page = browser.submit("/signup/confirm")
    assert page.status_code == 422
    assert 'value="Ada"' in page.text
    assert 'value="Nwosu"' in page.text


def test_staff_are_shed_alike(full: Town) -> None:
    """In their own layout, and no code is spent."""
    office = open_office(full)
    answer = office.desk().sign_in(office.officer)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert office.officer.password not in answer.text


# --- nobody waits for a hash but its owner ---


@pytest.fixture
def watched(town: Town, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For every hash that is computed: whether its thread had a transaction open."""
    seen: list[bool] = []
    database: Any = town.context.database
    transaction, run, opened = database.transaction, Admission.run, threading.local()

    @contextmanager
    def counting() -> Iterator[Any]:
        opened.depth = getattr(opened, "depth", 0) + 1
        try:
            with transaction() as session:
                yield session
        finally:
            opened.depth -= 1

    def noting(self: Admission, work: Callable[[], Any]) -> Any:
        seen.append(getattr(opened, "depth", 0) > 0)
        return run(self, work)

    monkeypatch.setattr(database, "transaction", counting)
    monkeypatch.setattr(Admission, "run", noting)
    return seen


def test_no_password_is_hashed_within_a_transaction(
    town: Town, watched: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer: a hash within a transaction would let every refresh wait for it."""
    office = open_office(town)
    assert watched == [True] * 3, "three accounts made within a transaction, so it is seen"
    watched.clear()
    passwords = town.app.extensions["denizen.login"].passwords
    costlier = PasswordSettings(iterations=3)
    monkeypatch.setattr(passwords, "_hasher", type(passwords)(costlier, passwords._pepper)._hasher)
    browser = town.browser()
    assert browser.sign_in(town.maria).status_code == 303
    assert len(watched) == 2, "the hash is renewed at today's cost"
    browser.get("/signup")
    browser.submit("/signup", email="new@example.org")
    browser.get(confirm_link(town))
    typed = {"given_name": "Ada", "family_name": "", "username": "", "password": "seven green kites fly"}
    assert browser.submit("/signup/confirm", **typed).status_code == 303
    assert office.desk().sign_in(office.officer).status_code == 303
    assert len(watched) == 4
    assert watched == [False] * 4


def test_a_page_that_is_kept_for_others_has_nothing_of_whoever_met_it_first(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a shared computer it would carry the way out of their session, with their token, and the end of their time."""
    first, stranger = town.browser(), town.browser()
    first.get("/login")
    first.submit("/login", username="maria", password=town.maria.password, shared="1")
    first.get("/login?again=1&next=/account/sign-in")
    stranger.get("/login")
    admission = town.app.extensions["denizen.login"].passwords.admission
    monkeypatch.setattr(admission, "_inside", admission.places)
    assert first.submit("/login", username="maria", password="x").status_code == 503
    page = stranger.submit("/login", username="bob", password="y")
    assert page.status_code == 503
    assert "/logout" not in page.text
    assert "shared-computer" not in page.text
