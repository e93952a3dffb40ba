"""K06 for pushed requests: one reference, many callers on two nodes: one of them gets a code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from idp.oidc.models import Authorization
from tests.support.nodes import NODES, THREADS, Request, another_node, two_nodes
from tests.support.town import ISSUER, Proof, hidden_fields

if TYPE_CHECKING:
    from tests.support.proving import Proving
    from tests.support.town import Browser

ROUNDS = 3


def _codes(proving: Proving) -> int:
    with proving.town.context.database.reading() as session:
        return int(session.execute(select(func.count()).select_from(Authorization)).scalar_one())


def _cookies(browser: Browser) -> dict[str, str]:
    """What a browser sends, for others to send."""
    jar = browser.http._cookies.values()
    return {"Cookie": "; ".join(f"{one.key}={one.value}" for one in jar)}


def test_a_reference_gives_one_code_whoever_brings_it_when(proving: Proving) -> None:
    """RFC 9126 §7.3: ten callers in two processes, one success a round; the others are sent nowhere."""
    fapi = proving.provers["fapi"]
    proving.pushed_code(fapi, Proof())
    headers = _cookies(proving.browser)
    with two_nodes(proving.town) as nodes:
        for _ in range(ROUNDS):
            pushed = proving.push(fapi, Proof())
            form = {"client_id": "fapi", "request_uri": pushed.json["request_uri"]}
            before = _codes(proving)
            replies = nodes.all_at_once(Request("/authorize", form, headers), int(proving.now))
            assert sorted(reply.status for reply in replies) == [303] + [400] * (NODES * THREADS - 1)
            assert _codes(proving) == before + 1


def test_of_two_tabs_that_are_answered_at_the_same_time_one_gets_a_code(proving: Proving) -> None:
    """Where a person acted: each tab has a row of its own, and the pushed request decides between them."""
    fapi, town = proving.provers["fapi"], proving.town
    proving.pushed_code(fapi, Proof())
    for _ in range(ROUNDS):
        browser, flows = town.browser(), []
        pushed = proving.push(fapi, Proof())
        for _ in range(2):
            page = browser.follow(proving.bring(fapi, pushed, browser))
            flows.append(hidden_fields(page.text, "/login")["flow"])
        browser.get("/login")
        browser.sign_in(town.maria)
        headers, before = _cookies(browser), _codes(proving)

        def go_on(flow: str, headers: dict[str, str] = headers) -> int:
            client = town.app.test_client(use_cookies=False)
            path = f"/authorize/continue?flow={flow}"
            status = client.get(path, base_url=ISSUER, headers=headers).status_code
            town.context.database.fast.close()
            return status

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(go_on, flows)) == [303, 400]
        assert _codes(proving) == before + 1


def test_a_reference_that_is_spent_is_so_on_another_node_and_after_a_restart(proving: Proving) -> None:
    """Nothing about them is kept in memory; one that was pushed there is known here."""
    fapi = proving.provers["fapi"]
    with another_node(proving.town) as other:
        pushed = proving.push(fapi, Proof())
        query = {"client_id": "fapi", "request_uri": pushed.json["request_uri"]}
        client = other.app.test_client(use_cookies=False)
        assert client.get("/authorize", query_string=query, base_url=ISSUER).status_code == 303
        assert proving.bring(fapi, pushed).status_code == 400  # it has begun in that browser
        pushed = proving.push(fapi, Proof())
        assert proving.bring(fapi, pushed).status_code == 303
        query = {"client_id": "fapi", "request_uri": pushed.json["request_uri"]}
        answer = client.get(
            "/authorize", query_string=query, base_url=ISSUER, headers=_cookies(proving.browser)
        )
        assert (answer.status_code, answer.headers.get("Location")) == (400, None)
