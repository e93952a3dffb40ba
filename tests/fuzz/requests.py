"""What a request may ask for: claims by name, permissions, and all of it inside a signed object."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from idp.clients.details_types import DetailsField, DetailsType
from idp.jose.texts import NotReadable
from idp.oidc import authorization_details, claims_request
from idp.oidc.checks.claims import check_claims as check_claims_parameter
from idp.oidc.errors import Refusal
from idp.oidc.request_objects import check_claims, parameters_of
from idp.oidc.rules import CLAIMS
from idp.web.incoming import FIELD_LIMIT, Parameters
from tests.fuzz.inputs import as_json, bent, edited, objects, values
from tests.fuzz.targets import target

_NOW, _ISSUER, _HOUR = 1_800_000_000, "https://a.example", 3600
_names = st.sampled_from([*CLAIMS[:6], "sub", "acr", "auth_time", "name#fr", "verified_claims"]) | st.text(
    max_size=8
)
_wish = st.none() | bent(
    st.sampled_from([{"essential": True}, {"value": "a"}, {"values": ["a", "b"]}]),
    values,
    ("essential", "value", "values"),
)
_subjects = st.sampled_from(["a", "b", "é", "", "x" * 256, 1, None])
_place = st.dictionaries(_names, _wish | values, max_size=4) | st.lists(_subjects, max_size=3).map(
    lambda found: {"sub": {"values": found}}
)
_JSON_PIECES = st.sampled_from(
    ['"', "{", "}", "[", "]", ",", ":", "null", "1e999", "NaN", "\\ud800", "\0", "\ufeff"]
)
_asked = (
    as_json(
        bent(
            st.fixed_dictionaries({"userinfo": _place, "id_token": _place}), _place, ("userinfo", "id_token")
        )
    )
    | edited(st.just('{"userinfo":{"name":null},"id_token":{"sub":{"value":"a"}}}'), _JSON_PIECES)
    | as_json(values)
    | st.text(max_size=40)
)


@target("claims-parameter", _asked)
def of_claims_asked_for_only_known_names_are_kept(text: str) -> None:
    """OIDC Core §5.5: read or refused; and what is kept reads back as it was, however often."""
    try:
        asked = claims_request.read(text)
    except claims_request.NotReadable:
        return
    kept = asked.kept()
    names = claims_request.read_kept(kept)
    assert names.userinfo == set(asked.userinfo) & set(CLAIMS)
    assert names.id_token == set(asked.id_token) & set(CLAIMS)
    draft: Any = SimpleNamespace(unverified=Parameters({"claims": text}))
    try:
        check_claims_parameter(draft)
    except Refusal:
        return
    assert draft.claims == kept
    assert all(isinstance(one, str) and one.isascii() and 0 < len(one) <= 255 for one in draft.sub_values)


_TYPE = DetailsType(
    type="tax",
    purpose="tax",
    text={"en": "Taxes"},
    field={
        "year": DetailsField(kind="integer", required=True, label={"en": "Year"}),
        "actions": DetailsField(
            kind="texts", label={"en": "May"}, values={"read": {"en": "read"}, "sign": {"en": "sign"}}
        ),
        "urgent": DetailsField(kind="boolean", label={"en": "Urgent"}),
        "note": DetailsField(label={"en": "Note"}),
    },
)
_permission = bent(
    st.just({"type": "tax", "year": 2025, "actions": ["read", "sign"], "urgent": True, "note": "a"}),
    st.sampled_from([["read"], ["sign", "sign"], [], True, 1, 1.0, 2025.0, 2**53, "tax", "read"]),
    ("type", *_TYPE.field),
)
_permissions = as_json(st.lists(_permission | values, max_size=3) | values) | edited(
    st.just('[{"type":"tax","year":2025,"actions":["read"]}]'), _JSON_PIECES
)
_DEEP = '[{"type":"tax","year":' + "[" * 300 + "]" * 300 + "}]"


@target("authorization-details", st.tuples(_permissions, _permissions), (_DEEP, _DEEP))
def a_permission_is_kept_as_it_is_and_never_grows(given: tuple[str, str]) -> None:
    """RFC 9396 §5, §6: read or refused; none comes out of a refresh that did not go in."""
    given_text, asked_text = given
    try:
        granted = authorization_details.read(given_text)
    except Refusal:
        return
    kept = authorization_details.kept(granted)
    assert authorization_details.read_kept(kept) == granted
    assert len(authorization_details.names_of(kept)) == len(granted)
    problems = [_TYPE.problem(one) for one in granted]
    for one in (one for one, problem in zip(granted, problems, strict=True) if problem is None):
        assert one.keys() <= {"type", *_TYPE.field}
        assert type(one["year"]) is int
    assert any(problems) or authorization_details.narrowed(kept, kept) == granted
    try:
        narrowed = authorization_details.narrowed(asked_text, kept)
    except Refusal:
        return
    assert all(any(_is_within(one, whole) for whole in granted) for one in narrowed)


def _is_within(one: dict[str, Any], whole: dict[str, Any]) -> bool:
    same = [
        name
        for name, value in one.items()
        if json.dumps(value, sort_keys=True) == json.dumps(whole.get(name), sort_keys=True)
    ]
    fewer = [
        name
        for name, value in one.items()
        if isinstance(value, list) and isinstance(whole.get(name), list) and value
        and {json.dumps(part, sort_keys=True) for part in value} <= {json.dumps(part, sort_keys=True) for part in whole[name]}
    ]  # fmt: skip
    return one.keys() == whole.keys() and {*same, *fewer} == one.keys()


_OBJECT_NAMES = (
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "request", "request_uri", "state"),
    *("resource", "claims", "max_age", "authorization_details", "scope", "redirect_uri"),
)
_object = bent(
    st.just({"iss": "c", "client_id": "c", "aud": _ISSUER, "nbf": _NOW, "exp": _NOW + 60, "scope": "openid"}),
    st.integers(_NOW - 4000, _NOW + 4000)
    | st.sampled_from(["c", _ISSUER, [_ISSUER, "b"], {_ISSUER: 1}, ["r"], "a\0"]),
    _OBJECT_NAMES,
)


@target("request-object", st.tuples(_object | objects(_OBJECT_NAMES), st.sampled_from([0, _HOUR])))
def claims_of_a_request_object_hold_and_become_plain_texts(given: tuple[dict[str, Any], int]) -> None:
    """RFC 9101 §4, §5, FAPI 2.0 Message Signing §5.3.1."""
    claims, object_for = given
    assume("Infinity" not in json.dumps(claims))
    assume("NaN" not in json.dumps(claims))  # neither is read from any text
    try:
        check_claims(claims, client_id="c", issuer=_ISSUER, object_for=object_for, now=_NOW)
        found = parameters_of(claims)
    except NotReadable:
        return
    assert not {"request", "request_uri"} & claims.keys()
    assert claims.get("sub") != "c"
    assert (claims.get("iss", "c"), claims.get("client_id", "c")) == ("c", "c")
    audience = claims.get("aud", _ISSUER)
    assert audience == _ISSUER or (isinstance(audience, list) and _ISSUER in audience)
    assert claims.get("exp") is None or claims["exp"] > _NOW
    if object_for:
        assert claims["client_id"] == "c"
        assert int(claims["exp"]) - int(claims["nbf"]) <= object_for
    assert len(found) <= FIELD_LIMIT
    assert not found.repeated
    for name, value in found.items():
        (name + value).encode()
        assert value
        assert "\0" not in name + value
        assert (
            value == claims[name]
            or name == "resource"
            or json.loads(value) == json.loads(json.dumps(claims[name]))
        )
