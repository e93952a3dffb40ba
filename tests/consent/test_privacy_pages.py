"""The resident's privacy pages, with their real templates, on both engines."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
from flask import Flask, redirect, request
from flask_babel import Babel, format_datetime
from sqlalchemy import text

from consent import lookups, purposes
from consent.labels import BASES, CLAIMS
from consent.models import BASES as ALL_BASES
from consent.models import EVENTS, RELEASE_KINDS
from consent.ports import CurrentResident, Ports, ServiceName, init_app
from consent.views import bp
from consent.withdrawals import service as withdrawals
from tests.consent.town import HOW, NOW, Town, key_of, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from sqlalchemy import Connection, Engine

ROOT = Path(__file__).parents[2]
NAMES = {"reports": ServiceName("Street reports", "Roads office"), "tax": ServiceName("Taxes", "Taxes")}


class Host:
    """The least host there can be: a resident named in a header, one database, and grants to revoke."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = NOW + 60
        self.refuses_to_revoke = False
        self.told: list[tuple[str, dict[str, Any], bool]] = []
        self.objections: list[str] = []
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE killed (resident_id TEXT, client_id TEXT)"))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            yield connection

    def resident(self) -> Any:
        name = request.headers.get("X-Resident")
        return CurrentResident(name, HOW) if name else redirect("/login", 303)

    def revoke(self, connection: Connection, *, resident_id: str, client_id: str, now: int) -> None:
        values = {"r": resident_id, "c": client_id}
        connection.execute(text("INSERT INTO killed VALUES (:r, :c)"), values)
        if self.refuses_to_revoke:
            raise OSError(now)

    def tell(self, connection: Connection, **said: Any) -> None:
        self.told.append((said["event"], dict(said["details"]), said["signs_out"]))
        withdrawals.begin(
            connection,
            matter_id=f"m{len(self.told)}",
            resident_id=said["resident_id"],
            client_id=said["client_id"],
            event=said["event"],
            details=said["details"],
            channel="event",
            due_at=said["now"] + 1000,
            now=said["now"],
        )

    def narrow(self, connection: Connection, *, resident_id: str, client_id: str, now: int) -> None:
        values = {"r": resident_id, "c": f"{client_id} narrowed"}
        connection.execute(text("INSERT INTO killed VALUES (:r, :c)"), values)

    def object_to(self, connection: Connection, **said: Any) -> str:
        self.objections.append(f"{said['resident_id']} {said['client_id']} {said['grounds']}")
        return "/privacy/rights/1"

    def app(self) -> Flask:
        app = Flask("town")
        app.jinja_env.undefined = jinja2.StrictUndefined
        app.jinja_loader = jinja2.FileSystemLoader(ROOT / "idp" / "ui" / "templates")
        app.jinja_env.add_extension("jinja2.ext.i18n")
        app.jinja_env.filters["day_time"] = lambda at: (
            format_datetime(at) if at is None else f"second {at - NOW}"
        )
        app.jinja_env.globals.update(
            csrf_token=lambda: "t", static_url=lambda name: f"/static/{name}", language="en", direction="ltr",
            languages=[], town={"name": "Riverton", "crest_url": None, "contact": "", "links": []},
        )  # fmt: skip
        Babel(app)
        init_app(
            app,
            Ports(
                transaction=self.transaction,
                reading=self.transaction,
                now=lambda: self.now,
                resident=self.resident,
                client_names=lambda client_ids: {one: NAMES[one] for one in client_ids if one in NAMES},
                language=lambda: "en",
                log_key_for=lambda _connection, resident_id: key_of(resident_id),
                revoke_grants=self.revoke,
                narrow_grants=self.narrow,
                tell=self.tell,
                object_to=self.object_to,
            ),
        )
        app.register_blueprint(bp)
        return app


@pytest.fixture
def host(engine: Engine) -> Host:
    return Host(engine)


@pytest.fixture
def visitor(host: Host) -> FlaskClient:
    """A browser; who is signed in is said per request."""
    return host.app().test_client()


@pytest.fixture
def purpose_id(engine: Engine) -> str:
    """r1 shares the district with street reports, after a look-up and a release; r2 with taxes."""
    with engine.begin() as connection:
        town = Town(connection, None)
        purpose_id = town.purpose(optional=["email"])
        town.event(purpose_id, claims_offered=["district", "email"])
        town.release()
        other = town.purpose(client_id="tax", basis="public_task", required=["name"])
        town.event(
            other,
            "informed",
            resident_id="r2",
            client_id="tax",
            claims_offered=["name"],
            claims_chosen=["name"],
        )
        lookups.record(
            connection,
            log_key=key_of("r1"),
            staff_id="c1",
            staff_role="clerk",
            resident_id="r1",
            reason="lost <card>",
            now=NOW,
        )
    return purpose_id


R1 = {"X-Resident": "r1"}
R2 = {"X-Resident": "r2"}


def _killed(engine: Engine) -> list[tuple[str, str]]:
    with engine.begin() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT * FROM killed"))]


def _events(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        return list(connection.execute(text("SELECT event FROM consent_record ORDER BY id")).scalars())


def test_the_overview_names_services_and_staff(visitor: FlaskClient, purpose_id: str) -> None:
    """Which service has what and why, and which staff looked, in plain and escaped words."""
    page = visitor.get("/privacy", headers=R1).text
    for part in (
        "Street reports",
        "Roads office",
        "The district you live in",
        "You agreed to this",
        "second 0",
        "A clerk",
        "lost &lt;card&gt;",
    ):
        assert part in page
    assert "Taxes" not in page
    assert "e-mail" not in page


def test_a_service_page_shows_purposes_releases_and_choices(visitor: FlaskClient, purpose_id: str) -> None:
    page = visitor.get("/privacy/services/reports", headers=R1).text
    for part in (
        "To mend your street.",
        "Kept for a year.",
        "When you signed in",
        "You agreed. It was about: The district you live in",
        "Street reports, version 1",
        "/privacy/services/reports/withdraw",
    ):
        assert part in page


def test_the_notice_shown_is_the_one_agreed_to(visitor: FlaskClient, engine: Engine, purpose_id: str) -> None:
    """Newer words that the resident has not seen do not replace those they agreed to."""
    with engine.begin() as connection:
        Town(connection, None).publish(purpose_id, material=True, en=words("Advertising"))
    assert "Advertising" not in visitor.get("/privacy/services/reports", headers=R1).text


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("given", "Connected"),
        ("refused", "You refused"),
        ("withdrawn", "You stopped sharing"),
        ("expired", "Ended"),
    ],
)
def test_how_it_stands_with_a_service_is_said_in_a_word(
    visitor: FlaskClient, engine: Engine, purpose_id: str, event: str, said: str
) -> None:
    """Nobody is said to have refused what only ran out."""
    with engine.begin() as connection:
        Town(connection, None).event(purpose_id, event, claims_offered=["district"], claims_chosen=[])
    page = visitor.get("/privacy", headers=R1).text
    tags = {one for one in ("Connected", "You refused", "You stopped sharing", "Ended") if f">{one}<" in page}
    assert tags == {said}


def test_withdrawing_is_one_button_and_kills_grants(
    visitor: FlaskClient, engine: Engine, purpose_id: str
) -> None:
    """GDPR Art. 7(3): the event and the revocation, then a page that says what was done."""
    answer = visitor.post("/privacy/services/reports/withdraw", headers=R1)
    assert (answer.status_code, answer.location) == (303, "/privacy/services/reports/withdrawn")
    assert _events(engine) == ["given", "informed", "withdrawn"]
    assert _killed(engine) == [("r1", "reports")]
    done = visitor.get(answer.location, headers=R1).text
    assert "No longer passed on: The district you live in" in done
    assert "second 60" in done
    assert "You stopped sharing" in visitor.get("/privacy", headers=R1).text


def test_withdrawing_twice_changes_nothing_more(
    visitor: FlaskClient, engine: Engine, purpose_id: str
) -> None:
    visitor.post("/privacy/services/reports/withdraw", headers=R1)
    again = visitor.post("/privacy/services/reports/withdraw", headers=R1)
    assert (again.status_code, again.location) == (303, "/privacy/services/reports")
    assert _events(engine).count("withdrawn") == len(_killed(engine)) == 1


def test_what_rests_on_another_basis_has_no_button(
    visitor: FlaskClient, engine: Engine, purpose_id: str
) -> None:
    """No fake choice: nothing to withdraw, and nothing happens if someone posts anyway."""
    assert "/withdraw" not in visitor.get("/privacy/services/tax", headers=R2).text
    assert visitor.post("/privacy/services/tax/withdraw", headers=R2).location == "/privacy/services/tax"
    assert visitor.get("/privacy/services/tax/withdrawn", headers=R2).status_code == 404
    assert _killed(engine) == []


def test_a_failed_revocation_leaves_everything_as_it_was(
    host: Host, visitor: FlaskClient, purpose_id: str
) -> None:
    """One transaction: no event without dead tokens, no dead tokens without the event."""
    host.refuses_to_revoke = True
    assert visitor.post("/privacy/services/reports/withdraw", headers=R1).status_code == 500
    assert "withdrawn" not in _events(host.engine)
    assert _killed(host.engine) == []


def test_a_refused_log_write_leaves_everything_as_it_was(
    host: Host, visitor: FlaskClient, purpose_id: str
) -> None:
    """K38: what the log can't take does not happen."""
    with host.engine.begin() as connection:
        connection.execute(text("ALTER TABLE consent_log_entry RENAME TO gone"))
    assert visitor.post("/privacy/services/reports/withdraw", headers=R1).status_code == 500
    assert "withdrawn" not in _events(host.engine)
    assert _killed(host.engine) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("tail", ["", "/withdraw", "/withdrawn"])
def test_another_residents_service_is_as_absent_as_none(
    visitor: FlaskClient, engine: Engine, purpose_id: str, method: str, tail: str
) -> None:
    """K34: R2 with R1's service gets what anyone gets for a service that never was."""
    theirs = visitor.open(f"/privacy/services/reports{tail}", method=method, headers=R2)
    nobodys = visitor.open(f"/privacy/services/nosuch{tail}", method=method, headers=R2)
    assert theirs.status_code in ({404} if (method == "POST") == (tail == "/withdraw") else {405})
    assert (theirs.status_code, theirs.data, dict(theirs.headers)) == (
        nobodys.status_code,
        nobodys.data,
        dict(nobodys.headers),
    )
    assert _events(engine) == ["given", "informed"]


def test_without_a_resident_the_host_answers(visitor: FlaskClient, engine: Engine, purpose_id: str) -> None:
    for path in (
        "/privacy",
        "/privacy/history",
        "/privacy/releases",
        "/privacy/services/reports",
        "/privacy/services/reports/withdrawn",
    ):
        assert visitor.get(path).location == "/login"
    assert visitor.post("/privacy/services/reports/withdraw").location == "/login"
    assert _killed(engine) == []


def test_long_lists_page_by_cursor(visitor: FlaskClient, engine: Engine, purpose_id: str) -> None:
    """Every release and every choice is reached, each once."""
    with engine.begin() as connection:
        town = Town(connection, None)
        for number in range(1, 60):
            town.release(now=NOW + number)
            town.event(purpose_id, now=NOW + number)
    for path in ("/privacy/services/reports", "/privacy/history", "/privacy/releases"):
        first = visitor.get(path, headers=R1).text
        cursor = first.split("?before=")[1].split('"')[0]
        second = visitor.get(f"{path}?before={cursor}", headers=R1).text
        assert "second 59" in first
        assert "second 10" in first
        assert "second 9<" not in first
        assert "second 9" in second
        assert "?before=" not in second
        assert f'href="{path}"' in second


@pytest.mark.parametrize("cursor", ["-1", "1e9", "x", "", "1;drop", "١", "9" * 20, "%00"])
@pytest.mark.parametrize(
    "path", ["/privacy", "/privacy/history", "/privacy/releases", "/privacy/services/reports"]
)
def test_a_forged_cursor_is_a_bad_request(
    visitor: FlaskClient, purpose_id: str, path: str, cursor: str
) -> None:
    """K36: never a server error."""
    assert visitor.get(f"{path}?before={cursor}", headers=R1).status_code == 400
    assert visitor.get(f"{path}?before={'9' * 19}", headers=R1).status_code == 200


def test_history_tells_every_event_with_service_and_notice(
    visitor: FlaskClient, engine: Engine, purpose_id: str
) -> None:
    """All kinds of events, releases and bases have words."""
    with engine.begin() as connection:
        town = Town(connection, None)
        for name in EVENTS:
            town.event(purpose_id, name, client_id="gone")
        for kind in RELEASE_KINDS:
            town.release(client_id="gone", kind=kind, claims=[])
    page = visitor.get("/privacy/history", headers=R1).text
    for part in (
        "You refused.",
        "Your agreement ran out.",
        "The service asked you.",
        "A service that no longer exists",
    ):
        assert part in page
    service = visitor.get("/privacy/services/gone", headers=R1).text
    assert "When the service checked that you are still connected" in service
    assert "A service that no longer exists" in service
    assert set(BASES) == set(ALL_BASES)


def test_a_resident_who_met_nobody_sees_empty_pages(visitor: FlaskClient, purpose_id: str) -> None:
    fresh = {"X-Resident": "r3"}
    assert "No service has received anything yet" in visitor.get("/privacy", headers=fresh).text
    assert "You have made no choice yet" in visitor.get("/privacy/history", headers=fresh).text


def test_claims_have_plain_words(host: Host) -> None:
    """Never the protocol's own words; what we do not know is at least readable."""
    from consent.labels import claim_label

    with host.app().test_request_context():
        assert claim_label("age_over_16") == "Whether you are over 16"
        assert claim_label("email") == "Your e-mail address"
        assert claim_label("shoe_size") == "Shoe size"
        assert all("claim" not in str(label) and "_" not in str(label) for label in CLAIMS.values())


def test_notices_are_found_by_purpose_and_version_alone(engine: Engine, purpose_id: str) -> None:
    with engine.begin() as connection:
        assert purposes.notices_at(connection, {purpose_id: 9}, "en", "en") == {}
        assert purposes.notices_at(connection, {}, "en", "en") == {}


def test_every_release_says_who_what_when_and_why(
    visitor: FlaskClient, engine: Engine, purpose_id: str
) -> None:
    """Over all services, in the words of the notice; nobody else's."""
    with engine.begin() as connection:
        Town(connection, None).release(purpose_ids=[purpose_id], now=NOW + 5)
        Town(connection, None).release(resident_id="r2", client_id="tax")
    page = visitor.get("/privacy/releases", headers=R1).text
    for part in ("Street reports", "The district you live in", "second 5", "For: Street reports"):
        assert part in page
    assert "Taxes" not in page


def test_every_choice_has_its_receipt(visitor: FlaskClient, engine: Engine, purpose_id: str) -> None:
    with engine.begin() as connection:
        uid = connection.execute(text("SELECT uid FROM consent_record WHERE resident_id = 'r1'")).scalar_one()
    for path in ("/privacy/history", "/privacy/services/reports"):
        assert f'href="/privacy/receipts/{bytes(uid).hex()}"' in visitor.get(path, headers=R1).text


def test_a_withdrawal_tells_the_service_in_the_same_transaction(
    host: Host, visitor: FlaskClient, purpose_id: str
) -> None:
    """By the partner's own name of the purpose; and the page says how it goes, in words, from amber to red."""
    visitor.post("/privacy/services/reports/withdraw", headers=R1)
    assert host.told == [
        ("consent-withdrawn", {"purposes": ["reports"], "claims": ["district"], "partial": False}, True)
    ]
    assert "The service is being told." in visitor.get("/privacy/services/reports/withdrawn", headers=R1).text
    for after, word, said in (
        (0, "Being told", "It must confirm by"),
        (500, "No answer yet", "It has not confirmed yet"),
        (1000, "Overdue", "privacy officer sees to it"),
    ):
        host.now = NOW + 60 + after
        page = visitor.get("/privacy/services/reports", headers=R1).text
        assert word in page
        assert said in page
        assert word in visitor.get("/privacy", headers=R1).text
    visitor.post("/privacy/services/reports/withdraw", headers=R1)
    assert len(host.told) == 1


@pytest.fixture
def two_purposes(engine: Engine, purpose_id: str) -> tuple[str, str]:
    """r1 shares e-mail with street reports as well, and agreed to a second purpose."""
    with engine.begin() as connection:
        town = Town(connection, None)
        offered = ["district", "email"]
        town.event(purpose_id, "renewed", claims_offered=offered, claims_chosen=offered)
        second = town.purpose(key="news", required=["name"])
        town.event(second, claims_offered=["name"], claims_chosen=["name"])
    return purpose_id, second


def test_single_data_can_be_taken_back(
    host: Host, visitor: FlaskClient, engine: Engine, two_purposes: tuple[str, str]
) -> None:
    """The box of what is needed does not exist; grants are narrowed, not killed."""
    path = f"/privacy/services/reports/purposes/{two_purposes[0]}/narrow"
    page = visitor.get("/privacy/services/reports", headers=R1).text
    assert f'action="{path}"' in page
    assert 'value="email"' in page
    assert 'value="district"' not in page
    kept = visitor.post(path, data={"share": ["email", "phone_number"]}, headers=R1)
    assert (kept.location, host.told) == ("/privacy/services/reports", [])
    done = visitor.post(path, data={}, headers=R1)
    assert done.location == "/privacy/services/reports#told"
    assert host.told[0][1:] == ({"purposes": ["reports"], "claims": ["email"], "partial": True}, False)
    assert _killed(engine) == [("r1", "reports narrowed")]
    assert _events(engine)[-1] == "narrowed"


def test_one_purpose_of_several_can_be_stopped(
    host: Host, visitor: FlaskClient, engine: Engine, two_purposes: tuple[str, str]
) -> None:
    first, second = (f"/privacy/services/reports/purposes/{one}/withdraw" for one in two_purposes)
    page = visitor.get("/privacy/services/reports", headers=R1).text
    assert first in page
    assert second in page
    assert visitor.post(second, headers=R1).location == "/privacy/services/reports#told"
    assert visitor.post(first, headers=R1).location == "/privacy/services/reports/withdrawn"
    assert [said["partial"] for _, said, _ in host.told] == [True, False]
    assert _killed(engine) == [("r1", "reports narrowed"), ("r1", "reports")]


def test_an_objection_is_for_bases_that_allow_it(host: Host, visitor: FlaskClient, purpose_id: str) -> None:
    """GDPR Art. 21: public task and legitimate interests; never where the resident decides anyway."""
    assert "/object" in visitor.get("/privacy/services/tax", headers=R2).text
    answer = visitor.post("/privacy/services/tax/object", data={"grounds": " mine "}, headers=R2)
    assert (answer.status_code, answer.location) == (303, "/privacy/rights/1")
    assert host.objections == ["r2 tax mine"]
    assert "/object" not in visitor.get("/privacy/services/reports", headers=R1).text
    for path, whose in (("reports", R1), ("tax", R1), ("nosuch", R1)):
        assert visitor.post(f"/privacy/services/{path}/object", headers=whose).status_code == 404
    assert len(host.objections) == 1


def test_nobody_takes_back_for_somebody_else(
    host: Host, visitor: FlaskClient, engine: Engine, two_purposes: tuple[str, str]
) -> None:
    """K34: another resident's purpose is as absent as none."""
    for what in ("narrow", "withdraw"):
        path = f"/privacy/services/reports/purposes/{two_purposes[0]}/{what}"
        assert visitor.post(path, headers=R2).status_code == 404
        assert visitor.post(path).location == "/login"
    assert visitor.post("/privacy/services/reports/purposes/nosuch/narrow", headers=R1).status_code == 303
    assert host.told == []
    assert _killed(engine) == []
