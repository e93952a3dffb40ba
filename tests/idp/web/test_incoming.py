"""Reading a request: bounded, decoded once, and never anything but a value or a BadRequest."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.web.incoming import (
    BODY_LIMIT,
    FIELD_LIMIT,
    FORM,
    QUERY_LIMIT,
    BadRequest,
    Incoming,
    form_decoded,
    parse_parameters,
)


def request(body: bytes = b"", **environ: Any) -> Incoming:
    """A POST with this body, its length told truly."""
    told = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": FORM, **environ}
    return Incoming({**told, "wsgi.input": io.BytesIO(body)})


def everything(found: Incoming) -> list[Any]:
    """Read all there is to read; BadRequest stands for itself."""
    seen: list[Any] = [found.method, found.remote_address, found.header("HTTP_ORIGIN"), found.bearer()]
    for name in ("query", "form", "body", "cookies"):
        try:
            seen.append(getattr(found, name))
        except BadRequest as refusal:
            seen.append(refusal)
    assert all(one.public and 400 <= one.status < 500 for one in seen if isinstance(one, BadRequest))
    return seen


# WSGI text holds one byte a character (PEP 3333).
header = st.text(st.characters(max_codepoint=255), max_size=300)


@given(
    body=st.binary(max_size=500) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    query=header,
    kind=header | st.just(FORM) | st.just(f"{FORM}; charset=x"),
    length=header | st.integers().map(str) | st.none(),
    encoding=st.sampled_from(["", "chunked", "gzip, chunked"]),
    cookies=header,
    authorization=header | header.map(lambda text: f"Bearer {text}"),
)
def test_any_request_is_read_or_refused(  # noqa: PLR0917
    body: bytes, query: str, kind: str, length: str | None, encoding: str, cookies: str, authorization: str
) -> None:
    """Whatever bytes arrive, nothing but BadRequest is ever raised."""
    everything(
        request(
            body,
            QUERY_STRING=query,
            CONTENT_TYPE=kind,
            CONTENT_LENGTH=length,
            HTTP_TRANSFER_ENCODING=encoding,
            HTTP_COOKIE=cookies,
            HTTP_AUTHORIZATION=authorization,
        )
    )


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=20))
def test_what_a_client_encodes_is_what_is_read(fields: dict[str, str]) -> None:
    """Values survive byte by byte; empty ones count as absent (RFC 6749 §3.1)."""
    found = request(urlencode(fields).encode()).form
    assert found == {name: value for name, value in fields.items() if value}
    assert not found.repeated


@given(st.text(st.sampled_from("ab&=%+;4e9cé"), max_size=40))
def test_whatever_is_sent_is_read_as_the_library_reads_it(encoded: str) -> None:
    """Python's own reader is the measure, for what is broken, too."""
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(BadRequest):
            parse_parameters(encoded)
        return
    assert parse_parameters(encoded) == {name: value for name, value in pairs if value}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "1", "2"])), max_size=8))
def test_every_name_sent_twice_is_known(pairs: list[tuple[str, str]]) -> None:
    """RFC 6749 §3.1: repeated means sent twice, even when one of the two was empty."""
    names = [name for name, _ in pairs]
    found = parse_parameters(urlencode(pairs))
    assert found.repeated == {name for name in names if names.count(name) > 1}


@pytest.mark.parametrize(
    ("encoded", "ok"),
    [
        ("a=%c3%a9", True),
        ("a=%ff", False),
        ("a=%ed%a0%80", False),
        ("&".join(f"f{n}=1" for n in range(FIELD_LIMIT)), True),
        ("&".join(f"f{n}=1" for n in range(FIELD_LIMIT + 1)), False),
        ("&" * 50, True),
        ("=" * 500, True),
        ("%" * 500, True),
    ],
)
def test_odd_encodings(encoded: str, ok: bool) -> None:
    """More than 100 fields, or bytes that are no UTF-8, are refused; the rest is harmless."""
    if ok:
        parse_parameters(encoded)
    else:
        with pytest.raises(BadRequest):
            parse_parameters(encoded)


def status(found: Incoming, name: str) -> int:
    with pytest.raises(BadRequest) as refusal:
        getattr(found, name)
    return refusal.value.status


class Endless(io.RawIOBase):
    """A body without end, which counts what was read of it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        assert 0 <= size <= BODY_LIMIT + 1, "the body is read without a bound"
        self.taken += size
        return b"a" * size


def test_a_body_is_bounded_before_it_is_read() -> None:
    """64 KiB, told or not: what claims to be larger is not read at all, the rest never past the limit."""
    endless = Endless()
    told = request(CONTENT_LENGTH=str(10**12), **{"wsgi.input": endless})
    told.environ["wsgi.input"] = endless
    assert (status(told, "body"), endless.taken) == (413, 0)
    chunked = request(CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    chunked.environ["wsgi.input"] = endless
    assert status(chunked, "form") == 413
    assert endless.taken == BODY_LIMIT + 1
    assert len(request(b"a" * BODY_LIMIT).body) == BODY_LIMIT


def test_limits_and_kinds_have_their_own_status() -> None:
    """413, 414, 415 and 400 say what was wrong (RFC 9110 §15.5)."""
    assert status(request(QUERY_STRING="a" * (QUERY_LIMIT + 1)), "query") == 414
    assert status(request(b"{}", CONTENT_TYPE="application/json"), "form") == 415
    assert status(request(b"a=1", CONTENT_TYPE="multipart/form-data; boundary=x"), "form") == 415
    assert status(request(b"a=1", CONTENT_TYPE=""), "form") == 415
    assert status(request(b"a=\xff"), "form") == 400
    assert status(request(CONTENT_LENGTH="many"), "body") == 400
    assert status(request(CONTENT_LENGTH="9" * 5000), "body") == 400
    assert request(CONTENT_LENGTH="-5").body == b""
    assert request(CONTENT_TYPE="", CONTENT_LENGTH="").form == {}


def test_a_body_can_be_read_again_by_a_page_behind() -> None:
    """The short way reads first; Flask's dispatch finds the same bytes."""
    found = request(b"a=1")
    assert found.form == {"a": "1"}
    assert found.environ["wsgi.input"].read() == b"a=1"


def test_the_first_of_two_cookies_of_one_name_counts() -> None:
    """Browsers send the most specific one first (RFC 6265 §5.4)."""
    found = request(HTTP_COOKIE='a=1; b="2"; a=3; c; =4; d=5=6')
    assert dict(found.cookies) == {"a": "1", "b": "2", "": "4", "d": "5=6"}


@pytest.mark.parametrize(
    ("sent", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer   abc ", "abc"),
        ("Bearer", None),
        ("Bearer  ", None),
        ("Basic abc", None),
        ("abc", None),
        ("", None),
    ],
)
def test_the_bearer_token_stands_in_the_header(sent: str, token: str | None) -> None:
    """RFC 6750 §2.1; the name of the scheme knows no case (RFC 9110 §11.1)."""
    assert request(HTTP_AUTHORIZATION=sent).bearer() == token


def test_a_form_encoded_value_is_decoded_once() -> None:
    """RFC 6749 §2.3.1: client ids and secrets in Basic are form-encoded."""
    assert form_decoded("a%2Bb+c%253A") == "a+b c%3A"
    with pytest.raises(ValueError, match="utf-8"):
        form_decoded("%ff")
