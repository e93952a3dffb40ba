"""Each check of the authorization endpoint by itself: what it refuses, with which error, and what it vouches for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from idp.clients.profiles import FAPI2, FAPI2_SIGNED, Profile
from idp.clients.registry import Client
from idp.oidc.checks import run_checks
from idp.oidc.errors import Refusal
from idp.oidc.request import AuthorizationRequest, Draft
from idp.web.incoming import parse_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

API = "https://api.example/"
PUSHED = "urn:ietf:params:oauth:request_uri:x"
CLIENT = Client(
    client_id="library",
    name="Library",
    partner_name="City Library",
    application_type="web",
    auth_method="client_secret_basic",
    secret_hash=b"",
    redirect_uris=("https://rp.example/cb",),
    post_logout_redirect_uris=(),
    grant_types=frozenset({"authorization_code", "refresh_token"}),
    scopes=frozenset({"openid", "profile", "offline_access"}),
    protects_scopes=frozenset(),
    id_token_alg="ES256",
    home_url="",
    is_pairwise=True,
    sector="rp.example",
    minimum_acr="basic",
    purpose_acr={},
    default_acr_values=(),
    default_max_age=None,
    disabled=False,
)
LAWFUL = {
    "response_type": "code",
    "client_id": "library",
    "redirect_uri": "https://rp.example/cb",
    "scope": "openid profile",
    "state": "st",
    "nonce": "no",
    "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
}
PAGE, BACK = False, True
REFUSALS = [
    ({"client_id": None}, "invalid_request", PAGE),
    ({"client_id": "nobody"}, "invalid_request", PAGE),
    ({"client_id": ["library", "library"]}, "invalid_request", PAGE),
    ({"redirect_uri": None}, "invalid_request", PAGE),
    ({"redirect_uri": "https://rp.example/cb/"}, "invalid_request", PAGE),
    ({"redirect_uri": ["https://rp.example/cb"] * 2}, "invalid_request", PAGE),
    ({"nonce": ["no", "no"]}, "invalid_request", BACK),
    ({"unheard_of": ["1", "2"]}, "invalid_request", BACK),
    ({"state": "s" * 2049}, "invalid_request", BACK),
    ({"nonce": "n" * 513}, "invalid_request", BACK),
    ({"nonce": "n\0"}, "invalid_request", BACK),
    ({"claims": "anything"}, "invalid_request", BACK),
    ({"dpop_jkt": "x"}, "invalid_request", BACK),
    ({"resource": "https://nobody.example/"}, "invalid_target", BACK),
    ({"resource": [API, API]}, "invalid_target", BACK),
    ({"resource": [API, API], "prompt": ["login", "login"]}, "invalid_request", BACK),
    ({"resource": [API, API], "request": "x"}, "invalid_target", BACK),
    ({"request": "x"}, "invalid_request_object", BACK),
    ({"request": "x", "redirect_uri": None}, "invalid_request_object", PAGE),
    ({"request": "x", "redirect_uri": "https://evil.example/"}, "invalid_request_object", PAGE),
    ({"request": "x", "request_uri": "x"}, "invalid_request", BACK),
    ({"request": ["x", "x"]}, "invalid_request", BACK),
    ({"request_uri": "x"}, "invalid_request_uri", BACK),
    ({"request_uri": PUSHED}, "invalid_request_uri", PAGE),
    ({"request_uri": PUSHED, "request": "x"}, "invalid_request", PAGE),
    ({"request_uri": [PUSHED, PUSHED]}, "invalid_request", PAGE),
    ({"registration": "x"}, "registration_not_supported", BACK),
    ({"response_type": None}, "invalid_request", BACK),
    ({"response_type": "token"}, "unsupported_response_type", BACK),
    ({"response_type": "none"}, "unsupported_response_type", BACK),
    ({"response_type": "code id_token"}, "unauthorized_client", BACK),
    ({"response_type": ["code", "id_token"]}, "invalid_request", BACK),
    ({"response_mode": "fish"}, "invalid_request", BACK),
    ({"response_mode": ["query", "query"]}, "invalid_request", BACK),
    ({"response_type": "id_token", "response_mode": "query"}, "invalid_request", BACK),
    ({"response_mode": "form_post", "state": "a\nb"}, "invalid_request", BACK),
    ({"scope": None}, "invalid_scope", BACK),
    ({"scope": "email"}, "invalid_scope", BACK),
    ({"scope": "OpenID"}, "invalid_scope", BACK),
    ({"scope": "openid " + "x" * 1000}, "invalid_scope", BACK),
    ({"code_challenge": None}, "invalid_request", BACK),
    ({"code_challenge": "c" * 42}, "invalid_request", BACK),
    ({"code_challenge_method": None}, "invalid_request", BACK),
    ({"code_challenge_method": "plain"}, "invalid_request", BACK),
    ({"prompt": "fish"}, "invalid_request", BACK),
    ({"prompt": "none login"}, "invalid_request", BACK),
    ({"prompt": "consent none"}, "invalid_request", BACK),
    ({"max_age": "-1"}, "invalid_request", BACK),
    ({"max_age": "1.5"}, "invalid_request", BACK),
    ({"max_age": "soon"}, "invalid_request", BACK),
    ({"max_age": "١"}, "invalid_request", BACK),
    ({"max_age": "1" * 10}, "invalid_request", BACK),
]


def _draft(
    change: dict[str, str | list[str] | None],
    find: Callable[[str], Client | None] = {"library": CLIENT}.get,
) -> Draft:
    values = {name: value for name, value in {**LAWFUL, **change}.items() if value is not None}
    return Draft(
        parse_parameters(urlencode(values, doseq=True)),
        find,
        lambda _: None,
        {API: CLIENT}.get,
        find_pushed=lambda _uri, _client_id: None,
        read_object=_refusing("invalid_request_object"),
        fetch_object=_refusing("invalid_request_uri"),
    )


def _refusing(error: str) -> Callable[[Client, str], Any]:
    """Stands for where no request is signed."""

    def refuse(_client: Client, _text: str) -> Any:
        raise Refusal(error, "It cannot be read")

    return refuse


def _checked(**change: str | list[str] | None) -> AuthorizationRequest:
    draft = _draft(change)
    run_checks(draft)
    return draft.frozen()


@pytest.mark.parametrize(("change", "error", "goes_back"), REFUSALS, ids=[str(r[0])[:60] for r in REFUSALS])
def test_a_request_with_a_mistake_is_refused_with_its_error(
    change: dict[str, str | list[str] | None], error: str, goes_back: bool
) -> None:
    """RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6; nobody is sent back before client and address are proven."""
    draft = _draft(change)
    with pytest.raises(Refusal) as refused:
        run_checks(draft)
    assert refused.value.error == error
    assert refused.value.status == 400
    assert not set('"\\\r\n') & set(refused.value.public)
    assert (draft.redirect_uri is not None) == goes_back


def test_a_repeated_or_endless_state_is_not_sent_back() -> None:
    """Which of two would be the right one? And an address has its limits, too."""
    for state in (["st", "other"], "s" * 2049):
        draft = _draft({"state": state})
        with pytest.raises(Refusal):
            run_checks(draft)
        assert draft.state is None
        assert draft.redirect_uri is not None


def test_a_client_registered_without_codes_gets_none() -> None:
    """RFC 6749 §4.1.2.1 unauthorized_client."""
    machine = replace(CLIENT, grant_types=frozenset({"client_credentials"}))
    draft = _draft({}, {"library": machine}.get)
    with pytest.raises(Refusal) as refused:
        run_checks(draft)
    assert refused.value.error == "unauthorized_client"


def test_a_lawful_request_is_taken_over_as_it_is() -> None:
    """What every check vouches for, and nothing that none of them looked at."""
    request = _checked(prompt="login consent login", max_age="0", ui_locales="fr en", login_hint="maria")
    assert request == AuthorizationRequest(
        client_id="library",
        redirect_uri="https://rp.example/cb",
        scope=("openid", "profile"),
        code_challenge="c" * 43,
        state="st",
        nonce="no",
        prompt=("consent", "login"),
        max_age=0,
        ui_locales="fr en",
    )
    assert AuthorizationRequest.from_json(request.to_json()) == request


def test_scopes_that_are_unknown_or_not_the_clients_are_left_out() -> None:
    """OIDC Core §3.1.2.1: unknown scopes SHOULD be ignored; the token answer names what was given."""
    assert _checked(scope="profile openid email fish openid").scope == ("openid", "profile")
    assert _checked(scope="openid offline_access").scope == ("offline_access", "openid")
    draft = _draft(
        {"scope": "openid offline_access"},
        {"library": replace(CLIENT, grant_types=frozenset({"authorization_code"}))}.get,
    )
    run_checks(draft)
    assert draft.scope == ("openid",)


@pytest.mark.parametrize(
    ("profile", "is_pushed", "is_signed", "is_good"),
    [
        (FAPI2, False, False, False),
        (FAPI2, False, True, False),
        (FAPI2, True, False, True),
        (FAPI2_SIGNED, False, True, False),
        (FAPI2_SIGNED, True, False, False),
        (FAPI2_SIGNED, True, True, True),
    ],
)
def test_a_client_that_must_push_or_sign_cannot_come_without(
    profile: Profile, is_pushed: bool, is_signed: bool, is_good: bool
) -> None:
    """FAPI 2.0 §5.3.2.2, Message Signing §5.3.1: nothing is let through that its profile forbids."""
    draft = _draft({}, {"library": replace(CLIENT, profile=profile)}.get)
    draft.is_pushed, draft.is_signed = is_pushed, is_signed
    if is_good:
        run_checks(draft)
        return
    with pytest.raises(Refusal) as refused:
        run_checks(draft)
    assert (refused.value.error, draft.redirect_uri is not None) == ("invalid_request", True)


def test_a_draft_is_checked_once() -> None:
    """The page behind the endpoint asks again: nothing is fetched or verified twice, and the answer is the same."""
    asked: list[str] = []
    draft = _draft({"request_uri": "https://rp.example/request"})

    def fetch(_client: Client, uri: str) -> str:
        asked.append(uri)
        raise Refusal("invalid_request_uri", "It cannot be read")

    draft.fetch_object = fetch
    for _ in range(2):
        with pytest.raises(Refusal):
            run_checks(draft)
    assert asked == ["https://rp.example/request"]
    draft.unverified.pop("request_uri")
    with pytest.raises(Refusal):
        run_checks(draft)


def test_parameters_at_their_limit_are_accepted() -> None:
    """Against refusing everything."""
    request = _checked(state="s" * 2048, nonce="n" * 512, max_age="9" * 9, response_mode="query")
    assert (len(request.state or ""), len(request.nonce or ""), request.max_age) == (2048, 512, 999_999_999)


@pytest.mark.parametrize("ignored", ["display", "claims_locales", "acr_values", "login_hint", "unheard_of"])
def test_parameters_that_we_need_not_understand_are_ignored(ignored: str) -> None:
    """RFC 6749 §3.1, OIDC Core §3.1.2.1."""
    assert _checked(**{ignored: "anything"}) == _checked()


def test_empty_parameters_count_as_left_out() -> None:
    """RFC 6749 §3.1."""
    request = _checked(state="", nonce="", prompt="", max_age="", request="")
    assert (request.state, request.nonce, request.prompt, request.max_age) == (None, None, (), None)
