"""Signed authorization requests, by value and by reference (RFC 9101, OIDC Core §6, FAPI 2.0 Message Signing §5.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from idp.clients.metadata import Details, NewClient
from idp.clients.service import add_partner, register_client
from idp.jose import texts
from idp.jose.texts import NotReadable
from idp.oidc.request_objects import check_claims, parameters_of
from idp.settings import testing
from idp.web.fetcher import Fetcher
from idp.web.incoming import FIELD_LIMIT
from tests.support.proving import Prover, jwks, key_for, sign
from tests.support.settled import footprint
from tests.support.tls import HttpsServer, make_authority
from tests.support.town import ISSUER, START, Partner, Proof, answer_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from tests.support.proving import Proving

HOUR = 3600
EVIL = key_for("ES256", "evil")


def _ask(proving: Proving, prover: Prover, **query: str | None) -> TestResponse:
    given = {"client_id": prover.client_id, **query}
    sent = {name: value for name, value in given.items() if value is not None}
    return proving.browser.get(f"/authorize?{urlencode(sent)}")


def _push(proving: Proving, prover: Prover, request: str, **more: str) -> TestResponse:
    return proving.post("/par", proving.authenticated(prover, {"request": request, **more}))


def _told(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 303, answer.text[:2000]
    return answer_parameters(answer)


# --- by value ---


@pytest.mark.parametrize("alg", ["ES256", "PS256", "RS256", "EdDSA", "Ed25519"])
def test_a_signed_request_is_all_that_counts(proving: Proving, alg: str) -> None:
    """RFC 9101 §6.3: what stands outside besides is nothing; with every algorithm of the profile."""
    key = key_for("EdDSA" if alg == "Ed25519" else alg)
    prover, proof = Prover(proving.provers["pkjwt"].partner, key, alg), Proof()
    request = prover.request_object(proving.now, proof, state="inside", scope="openid profile")
    answer = _ask(
        proving,
        prover,
        request=request,
        response_type="code",
        state="outside",
        scope="openid residence",
        redirect_uri="https://evil.example/cb",
        prompt="none",
        code_challenge="x",
    )
    code = proving.browser.go_through(proving.town.maria, answer)
    assert proving.browser.last is not None
    assert proving.browser.last.headers["Location"].startswith("https://pkjwt.example/cb?")
    assert answer_parameters(proving.browser.last)["state"] == "inside"
    tokens = proving.redeem(prover, code, proof).json
    assert tokens["scope"] == "openid profile"


def test_a_request_may_be_signed_and_pushed(proving: Proving) -> None:
    """RFC 9126 §3: what is pushed outside of the object does not count either; posting at the endpoint works, too."""
    prover, proof = proving.provers["pkjwt"], Proof()
    request = prover.request_object(proving.now, proof, state="inside")
    pushed = _push(proving, prover, request, state="outside", redirect_uri="https://evil.example/")
    code = proving.browser.go_through(proving.town.maria, proving.bring(prover, pushed))
    assert code
    assert answer_parameters(proving.browser.last)["state"] == "inside"  # type: ignore[arg-type]
    posted = proving.browser.post("/authorize", {"client_id": "pkjwt", "request": request})
    assert _told(posted)["state"] == "inside"


def test_values_may_be_numbers_and_objects(proving: Proving) -> None:
    """OIDC Core §6.1: max_age a number, claims an object; a list of one resource (RFC 8707 §2)."""
    prover = proving.provers["pkjwt"]
    claims = {"id_token": {"auth_time": {"essential": True}}}
    request = prover.request_object(proving.now, Proof(), max_age=86_400, claims=claims, prompt="none")
    found = _told(_ask(proving, prover, request=request))
    assert "code" in found or found["error"] in ("consent_required", "login_required")
    for change in ({"max_age": True}, {"max_age": [1]}, {"prompt": ["login"]}, {"claims": "{"}):
        request = prover.request_object(proving.now, Proof(), **change)
        assert _told(_ask(proving, prover, request=request))["error"] == "invalid_request", change
    request = prover.request_object(proving.now, Proof(), resource=["https://nobody.example/"])
    assert _told(_ask(proving, prover, request=request))["error"] == "invalid_target"


def _with_null(prover: Prover, now: float, proof: Proof, *names: str) -> str:
    """A request object of which these claims are null."""
    whole = texts.read(prover.request_object(now, proof))
    return sign({**whole.claims, **dict.fromkeys(names)}, prover.key, whole.header)


def test_a_value_that_is_null_counts_as_none_at_all(proving: Proving) -> None:
    """RFC 6749 §3.1: it is left out, and not the text "null"; nor does it stand for what must be there."""
    prover, signed, proof = proving.provers["pkjwt"], proving.provers["signed"], Proof()
    optional = (
        "state",
        "nonce",
        "claims",
        "resource",
        "max_age",
        "prompt",
        "iss",
        "exp",
        "request",
        "client_id",
    )
    answer = _ask(proving, prover, request=_with_null(prover, proving.now, proof, *optional))
    code = proving.browser.go_through(proving.town.maria, answer)
    assert "state" not in answer_parameters(proving.browser.last)  # type: ignore[arg-type]
    assert "nonce" not in texts.read(proving.redeem(prover, code, proof).json["id_token"]).claims
    missing = _told(_ask(proving, prover, request=_with_null(prover, proving.now, proof, "response_type")))
    assert missing["error"] == "invalid_request"
    for name in ("aud", "client_id", "nbf", "exp"):
        pushed = _push(proving, signed, _with_null(signed, proving.now, proof, name))
        assert (pushed.status_code, pushed.json["error"]) == (400, "invalid_request_object"), name


#: What is wrong with an object of a standard client: claims changed, header changed.
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "of another client": ({"iss": "library"}, {}),
    "for another client": ({"client_id": "library"}, {}),
    "for another server": ({"aud": "https://other.example"}, {}),
    "for no server": ({"aud": []}, {}),
    "for one that looks like us": ({"aud": f"{ISSUER}/"}, {}),
    "expired": ({"exp": START}, {}),
    "from the future": ({"nbf": START + 61}, {}),
    "issued in the future": ({"iat": START + 61}, {}),
    "with an exp that is none": ({"exp": "soon"}, {}),
    "with a request inside": ({"request": "x"}, {}),
    "with a request_uri inside": ({"request_uri": "https://pkjwt.example/ro"}, {}),
    "as a client assertion": ({"sub": "pkjwt"}, {}),
    "with a NUL": ({"nonce": "a\0b"}, {}),
    "with half a character": ({"nonce": "\ud800"}, {}),
    "with too much": ({f"x{n}": "x" for n in range(FIELD_LIMIT)}, {}),
    "of another kind": ({}, {"typ": "client-authentication+jwt"}),
    "a proof": ({}, {"typ": "dpop+jwt"}),
    "an access token": ({}, {"typ": "at+jwt"}),
    "a logout token": ({}, {"typ": "logout+jwt"}),
    "critical": ({}, {"crit": ["exp"]}),
    "of an unknown key": ({}, {"kid": "unknown"}),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_object_that_is_wrong_is_refused(proving: Proving, name: str) -> None:
    """RFC 9101 §6.2, §10.8: the client learns it if the address outside is its own; otherwise a page; as JSON at a push."""
    claims, header = WRONG[name]
    prover = proving.provers["pkjwt"]
    request = prover.request_object(proving.now, Proof(), header=header, **claims)
    before = footprint(proving.town)
    uri = prover.partner.redirect_uri
    found = _told(_ask(proving, prover, request=request, redirect_uri=uri, state="st"))
    assert found["error"] == "invalid_request_object", found
    assert (found["state"], found["iss"]) == ("st", ISSUER)
    for outside in (None, "https://evil.example/cb"):
        page = _ask(proving, prover, request=request, redirect_uri=outside)
        assert (page.status_code, page.headers.get("Location")) == (400, None)
        assert "invalid_request_object" in page.text
    pushed = _push(proving, prover, request)
    assert (pushed.status_code, pushed.json["error"]) == (400, "invalid_request_object")
    assert footprint(proving.town) == before


def test_only_the_clients_own_keys_and_algorithm_sign(proving: Proving) -> None:
    """RFC 8725 §3.1; OIDC Registration §2 request_object_signing_alg; FAPI 2.0 §5.4.1: no RS256."""
    town = proving.town
    pkjwt, fapi = proving.provers["pkjwt"], proving.provers["fapi"]
    only = town.add_client(
        NewClient(
            "Only",
            ("https://only.example/cb",),
            client_id="only",
            token_endpoint_auth_method="private_key_jwt",
            details=Details(
                jwks=jwks(key_for("ES256"), key_for("PS256")), request_object_signing_alg="PS256"
            ),
        )
    )
    town.fresh()
    good = pkjwt.request_object(proving.now, Proof())
    head, claims, _ = good.split(".")
    _, other_claims, _ = pkjwt.request_object(proving.now, Proof()).split(".")
    cases = [
        (pkjwt, pkjwt.request_object(proving.now, Proof(), key=EVIL, header={"kid": None})),
        (pkjwt, pkjwt.request_object(proving.now, Proof(), key=EVIL, header={"kid": "ES256"})),
        (pkjwt, pkjwt.request_object(proving.now, Proof(), key=EVIL, header={"jwk": EVIL.as_dict()})),
        (pkjwt, f"{head}.{other_claims}.{good.rpartition('.')[2]}"),
        (pkjwt, f"{head}.{claims}."),
        (pkjwt, f"{head}.{claims}"),
        (pkjwt, "x"),
        (fapi, Prover(fapi.partner, key_for("RS256"), "RS256").request_object(proving.now, Proof())),
        (Prover(only, key_for("ES256")), Prover(only, key_for("ES256")).request_object(proving.now, Proof())),
        (Prover(town.library), Prover(town.library, EVIL).request_object(proving.now, Proof())),
    ]
    for prover, request in cases:
        uri = prover.partner.redirect_uri
        found = _told(_ask(proving, prover, request=request, redirect_uri=uri))
        assert found["error"] == "invalid_request_object", request
    by_ps = Prover(only, key_for("PS256"), "PS256")
    request = by_ps.request_object(proving.now, Proof(), scope="openid")
    page = proving.town.browser().get(f"/authorize?{urlencode({'client_id': 'only', 'request': request})}")
    assert page.status_code == 303


def test_what_is_outside_as_well_must_be_the_same(proving: Proving) -> None:
    """OIDC Core §6.1, RFC 9101 §5: client_id and response_type; never request and request_uri, never anything twice."""
    prover = proving.provers["pkjwt"]
    request = prover.request_object(proving.now, Proof())
    uri = prover.partner.redirect_uri
    for change in (
        {"response_type": "token"},
        {"request_uri": "https://pkjwt.example/ro"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
    ):
        answer = _ask(proving, prover, request=request, redirect_uri=uri, **change)
        if "Location" in answer.headers:
            assert _told(answer)["error"] == "invalid_request", change
        else:
            assert (answer.status_code, "invalid_request" in answer.text) == (400, True)
    told = _told(
        _ask(proving, prover, request=request, response_type="token")
    )  # the address inside is proven
    assert (told["error"], told["state"]) == ("invalid_request", "st")
    elsewhere = prover.request_object(proving.now, Proof(), redirect_uri="https://evil.example/cb")
    lost = _ask(proving, prover, request=elsewhere, response_type="token")
    assert (lost.status_code, "Location" in lost.headers) == (400, False)
    twice = [("client_id", "pkjwt"), ("redirect_uri", uri), ("request", request), ("request", request)]
    assert _told(proving.browser.get(f"/authorize?{urlencode(twice)}"))["error"] == "invalid_request"
    page = _ask(proving, Prover(proving.town.library), request=request)
    assert (page.status_code, "Location" in page.headers) == (400, False)


@pytest.mark.parametrize(
    ("inside", "outside"), [("id_token code", "code id_token"), ("code id_token", "id_token code")]
)
def test_the_order_in_a_response_type_is_of_no_matter(proving: Proving, inside: str, outside: str) -> None:
    """RFC 6749 §3.1.1; what has other values is another one."""
    old = proving.town.add_client(
        NewClient(
            "Old",
            ("https://old.example/cb",),
            token_endpoint_auth_method="private_key_jwt",
            grant_types=("authorization_code", "implicit"),
            profile="legacy",
            details=Details(jwks=jwks(key_for("ES256")), response_types=("code id_token", "code")),
        ),
        basis="public_task",
        required=("name",),
    )
    proving.town.fresh()
    prover = Prover(old, key_for("ES256"))
    request = prover.request_object(proving.now, Proof(), scope="openid profile", response_type=inside)
    answer = _ask(proving, prover, request=request, response_type=outside)
    assert answer.headers["Location"].startswith("/authorize/continue"), answer.headers
    for other in ("code", "code id_token token", "code code id_token"):
        told = _ask(proving, prover, request=request, response_type=other).headers["Location"]
        assert "error=invalid_request" in told, other


def test_a_client_that_must_sign_is_refused_otherwise(proving: Proving) -> None:
    """RFC 9101 §10.5, FAPI 2.0 Message Signing §5.3.1: at the push, too."""
    town, signed = proving.town, proving.provers["signed"]
    refused = proving.push(signed, Proof())
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")
    wish = town.add_client(
        NewClient(
            "Signer",
            ("https://signer.example/cb",),
            token_endpoint_auth_method="private_key_jwt",
            details=Details(jwks=jwks(key_for("ES256")), require_signed_request_object=True),
        )
    )
    town.fresh()
    found = answer_parameters(town.browser().authorize(wish, "openid", Proof()))
    assert (found["error"], found["state"]) == ("invalid_request", "st")
    prover = Prover(wish, key_for("ES256"))
    request = prover.request_object(proving.now, Proof(), scope="openid")
    query = urlencode({"client_id": wish.client_id, "request": request})
    assert town.browser().get(f"/authorize?{query}").headers["Location"].startswith("/authorize/continue")
    unpushed = _ask(
        proving, signed, request=signed.request_object(proving.now, Proof()), redirect_uri="https://x.example"
    )
    assert _told(unpushed)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({}, True),
        ({"aud": [ISSUER]}, True),
        ({"aud": [ISSUER, "https://other.example"]}, True),
        ({"nbf": START + 8, "iat": START + 8}, True),
        ({"nbf": START - HOUR + 10, "exp": START + 10}, True),
        ({"nbf": START, "exp": START + HOUR}, True),
        ({"jti": "x"}, True),
        ({"aud": None}, False),
        ({"aud": f"{ISSUER}/par"}, False),
        ({"exp": None}, False),
        ({"nbf": None}, False),
        ({"nbf": START, "exp": START + HOUR + 1}, False),
        ({"nbf": START - HOUR - 61, "exp": START + 1}, False),
        ({"client_id": None}, False),
        ({"iss": "pkjwt"}, False),
    ],
)
def test_an_object_of_fapi_is_good_for_an_hour_at_most(
    proving: Proving, claims: dict[str, Any], good: bool
) -> None:
    """FAPI 2.0 Message Signing §5.3.1: aud, nbf and exp are there; signed by its profile or of its own accord."""
    for name in ("signed", "fapi"):
        prover = proving.provers[name]
        answer = _push(proving, prover, prover.request_object(proving.now, Proof(), **claims))
        assert answer.status_code == (201 if good else 400), answer.json
        assert good or answer.json["error"] == "invalid_request_object"


def test_discovery_tells_how_requests_may_be_signed(proving: Proving) -> None:
    """OIDC Discovery §3; none is never among the algorithms."""
    told = proving.town.app.test_client().get("/.well-known/openid-configuration", base_url=ISSUER).json
    assert told["request_parameter_supported"] is True
    assert told["request_uri_parameter_supported"] is True
    assert told["require_request_uri_registration"] is True
    assert told["require_signed_request_object"] is False
    algorithms = told["request_object_signing_alg_values_supported"]
    assert {"RS256", "PS256", "ES256", "EdDSA"} <= set(algorithms)
    assert "none" not in algorithms


# --- by reference ---


@dataclass
class Published:
    """What a client's server has, and what was asked of it."""

    prover: Prover
    url: str
    text: str = ""
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def respond(self, _method: str, path: str, *_: object) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        headers = {"Location": self.url} if self.status == 302 else {}
        return self.status, headers, self.text.encode()


@pytest.fixture(scope="module")
def server(proving: Proving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A client that registered an address on this machine, with a fragment and without."""
    town, authority = proving.town, make_authority(tmp_path_factory.mktemp("tls"))
    known: list[Published] = []

    def answer(*request: Any) -> tuple[int, dict[str, str], bytes]:
        return known[0].respond(*request)

    with HttpsServer(authority, answer) as https:
        new = NewClient(
            "By reference",
            ("https://byref.example/cb",),
            token_endpoint_auth_method="private_key_jwt",
            scopes=("openid",),
            details=Details(
                jwks=jwks(key_for("ES256")), request_uris=(f"{https.url}/ro", f"{https.url}/other#first")
            ),
        )
        with town.context.database.transaction() as session:
            partner = add_partner(session, "References", now=START)
            register_client(session, partner, new, now=START, vault=town.context.vault, allow_loopback=True)
        town.fresh()
        provider = town.app.extensions["denizen.oidc"]
        usual = provider.fetcher
        local = testing.TestingSettings(allow_loopback=True, extra_ca=authority.ca)
        object.__setattr__(provider, "fetcher", Fetcher(local))
        prover = Prover(
            Partner(new.client_id, None, "private_key_jwt", new.redirect_uris[0]), key_for("ES256")
        )
        known.append(Published(prover, https.url))
        yield known[0]
        object.__setattr__(provider, "fetcher", usual)


@pytest.fixture
def published(server: Published, proving: Proving) -> Published:
    server.text = server.prover.request_object(proving.now, Proof(), scope="openid", state="inside")
    server.status = 200
    server.asked.clear()
    return server


def test_a_request_is_read_where_its_client_registered_it(proving: Proving, published: Published) -> None:
    """OIDC Core §6.2: once, although a page follows; the fragment must be a registered one, and is not sent."""
    for address in ("/ro", "/ro#anything", "/other#first"):
        published.asked.clear()
        query = {"client_id": published.prover.client_id, "request_uri": published.url + address}
        answer = proving.town.browser().get(f"/authorize?{urlencode(query)}")
        assert answer.headers["Location"].startswith("/authorize/continue"), answer.text
        assert published.asked == [address.partition("#")[0]]


def test_nothing_is_fetched_that_was_not_registered(proving: Proving, published: Published) -> None:
    """RFC 9101 §10.4, OIDC Registration §2: not a neighbour of it, not from another client, not by a push."""
    uri = published.prover.partner.redirect_uri
    for address in ("/", "/ro/", "/ro?x=1", "/other", "/other#second", "/RO"):
        answer = _ask(proving, published.prover, request_uri=published.url + address, redirect_uri=uri)
        assert _told(answer)["error"] == "invalid_request_uri", address
        page = _ask(proving, published.prover, request_uri=published.url + address)
        assert (page.status_code, "invalid_request_uri" in page.text) == (400, True)
    pkjwt = proving.provers["pkjwt"]
    answer = _ask(proving, pkjwt, request_uri=f"{published.url}/ro", redirect_uri=pkjwt.partner.redirect_uri)
    assert _told(answer)["error"] == "invalid_request_uri"
    pushed = proving.push(published.prover, Proof(), scope="openid", request_uri=f"{published.url}/ro")
    assert (pushed.status_code, pushed.json["error"]) == (400, "invalid_request")
    assert published.asked == []


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (404, None, "invalid_request_uri"),
        (302, None, "invalid_request_uri"),
        (500, None, "invalid_request_uri"),
        (200, "x" * 33_000, "invalid_request_uri"),
        (200, "ä", "invalid_request_uri"),
        (200, "", "invalid_request_object"),
        (200, "x", "invalid_request_object"),
        (200, "forged", "invalid_request_object"),
    ],
)
def test_what_is_no_request_there_is_refused(
    proving: Proving, published: Published, status: int, text: str | None, error: str
) -> None:
    """OIDC Core §3.1.2.6: no redirect is followed, nothing endless is read, and it is asked for once."""
    published.status = status
    if text == "forged":
        text = published.prover.request_object(proving.now, Proof(), key=EVIL, header={"kid": None})
    published.text = published.text if text is None else text
    page = _ask(proving, published.prover, request_uri=f"{published.url}/ro")
    assert (page.status_code, error in page.text) == (400, True)
    assert published.asked == ["/ro"]
    uri = published.prover.partner.redirect_uri
    answer = _ask(proving, published.prover, request_uri=f"{published.url}/ro", redirect_uri=uri)
    assert _told(answer)["error"] == error


# --- whatever a client signs ---

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "request", "request_uri", "state"]
)
_LIKELY = st.sampled_from(["c", ISSUER, [ISSUER], START - 10, START, START + 10, START + HOUR, 1e300, -1])
_CLAIMS = st.dictionaries(_NAMES, _JSON | _LIKELY, max_size=9)


@given(_CLAIMS, st.sampled_from([0, HOUR]))
@example({"exp": float("nan")}, 0)
@example({"aud": {ISSUER: 1}}, 0)
def test_claims_hold_or_are_refused(claims: dict[str, Any], object_for: int) -> None:
    """No exception but our own; and whatever is let through keeps to every rule."""
    try:
        check_claims(claims, client_id="c", issuer=ISSUER, object_for=object_for, now=START)
    except NotReadable:
        return
    assert not {"request", "request_uri"} & claims.keys()
    assert claims.get("sub") != "c"
    assert claims.get("iss", "c") == "c"
    assert claims.get("client_id", "c") == "c"
    audience = claims.get("aud", ISSUER)
    assert audience == ISSUER or (isinstance(audience, list) and ISSUER in audience)
    assert claims.get("exp") is None or claims["exp"] > START
    assert all((claims.get(name) or 0) < START + 61 for name in ("nbf", "iat"))
    if object_for:
        assert claims["client_id"] == "c"
        assert int(claims["exp"]) - int(claims["nbf"]) <= HOUR
        assert claims["nbf"] >= START - HOUR - 61


@given(st.dictionaries(st.text(max_size=8) | _NAMES, _JSON, max_size=8))
@example({"a": "\ud800"})
@example({"\ud800": "a"})
@example({"\0": "a"})
@example({"a": 2**64})
@example({"a": [float("inf")]})
def test_claims_become_texts_that_can_be_kept(claims: dict[str, Any]) -> None:
    """Whatever they are, no check, row or answer is given anything but clean text."""
    try:
        found = parameters_of(claims)
    except NotReadable:
        return
    assert not found.repeated
    assert not {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} & found.keys()
    for name, value in found.items():
        assert value
        assert "\0" not in name + value
        (name + value).encode()
        if not isinstance(claims[name], str) and name != "resource":
            json.loads(value)
