"""Static files: named by content, compressed ahead of time, small enough for a slow line."""

import gzip
from pathlib import Path

import pytest

from idp.web.brand import brand_css
from idp.web.statics import StaticFiles, accepts_gzip

SHEET = b"body{color:#123456}" * 40


@pytest.fixture
def files(tmp_path: Path) -> StaticFiles:
    (tmp_path / "page.css").write_bytes(SHEET)
    (tmp_path / "photo.png").write_bytes(b"\x89PNG" * 100)
    (tmp_path / "notes.secret").write_bytes(b"not for anybody")
    return StaticFiles(tmp_path)


def test_the_address_changes_with_the_content_and_only_with_it(tmp_path: Path) -> None:
    """A new version has a new address, so that browsers may keep the old one for ever."""
    files = StaticFiles(tmp_path)
    first = files.register("brand.css", b"a{}")
    assert first.startswith("/static/brand.")
    assert first.endswith(".css")
    assert files.register("brand.css", b"a{}") == first
    assert files.register("brand.css", b"b{}") == files.url_for_static("brand.css") != first
    assert files.answer(first) is None


def test_a_file_is_answered_with_headers_that_let_browsers_keep_it(files: StaticFiles) -> None:
    """ASVS V3: the type is said and not guessed; RFC 8246: immutable."""
    found = files.answer(files.url_for_static("page.css"))
    assert found is not None
    headers = dict(found.headers)
    assert (found.status, found.body) == (200, SHEET)
    assert headers["Content-Type"] == "text/css; charset=utf-8"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Vary"] == "Accept-Encoding"
    assert headers["Content-Length"] == str(len(SHEET))
    assert "Content-Encoding" not in headers


def test_a_browser_that_takes_gzip_gets_it_under_its_own_etag(files: StaticFiles) -> None:
    """RFC 9110 §8.8.3: a strong ETag differs between encodings."""
    url = files.url_for_static("page.css")
    plain, packed = files.answer(url), files.answer(url, "br, gzip;q=0.5")
    assert plain is not None
    assert packed is not None
    assert dict(packed.headers)["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == SHEET
    assert dict(packed.headers)["ETag"] != dict(plain.headers)["ETag"]
    assert not dict(packed.headers)["ETag"].startswith("W/")


def test_pictures_are_not_compressed_again(files: StaticFiles) -> None:
    """A PNG gains nothing, so its answer varies with nothing."""
    found = files.answer(files.url_for_static("photo.png"), "gzip")
    assert found is not None
    assert {"Vary", "Content-Encoding"}.isdisjoint(dict(found.headers))


@pytest.mark.parametrize("wrap", ["{}", "W/{}", '"other", {}', "*"])
def test_a_browser_that_has_the_file_is_told_so(files: StaticFiles, wrap: str) -> None:
    """RFC 9110 §13.1.2: If-None-Match, compared weakly; 304 has no body and no content headers."""
    url = files.url_for_static("page.css")
    first = files.answer(url, "gzip")
    assert first is not None
    again = files.answer(url, "gzip", wrap.format(dict(first.headers)["ETag"]))
    assert again is not None
    assert (again.status, again.body) == (304, b"")
    assert "ETag" in dict(again.headers)
    assert not any(name.startswith("Content-") for name, _ in again.headers)


def test_another_etag_gets_the_whole_file(files: StaticFiles) -> None:
    found = files.answer(files.url_for_static("page.css"), "", '"something-else"')
    assert found is not None
    assert found.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/page.css",
        "/static/../settings.py",
        "/static/page.00000000.css",
        "/static/",
        "/static/notes.secret",
        "",
    ],
)
def test_nothing_else_is_served(files: StaticFiles, path: str) -> None:
    """Only registered addresses exist; a path never reaches the file system."""
    assert files.answer(path) is None


def test_an_unknown_name_is_a_mistake_of_ours(files: StaticFiles) -> None:
    with pytest.raises(KeyError):
        files.url_for_static("missing.css")


def test_a_lasting_address_is_asked_for_again_each_time(files: StaticFiles) -> None:
    """`/brand.css` keeps its address when the town changes its colour."""
    files.register("brand.css", b"a{}", at="/brand.css")
    found = files.answer("/brand.css")
    assert found is not None
    assert found.body == b"a{}"
    assert dict(found.headers)["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("GZIP, br", True),
        ("br;q=1, gzip;q=0.1", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
    ],
)
def test_accept_encoding_is_read_as_the_standard_says(header: str, expected: bool) -> None:
    """RFC 9110 §12.5.3: weights count, zero means never, a name wins over the star."""
    assert accepts_gzip(header) is expected


def test_all_that_a_page_loads_stays_small() -> None:
    """Experience: a page of the sign-in flow stays under 60 KB with its styles; the page itself needs 10 at most."""
    files = StaticFiles()
    files.register("brand.css", brand_css("#0b6e4f").encode())
    sent = 0
    for name in ("designsystemet.css", "brand.css", "denizen.css", "icons.svg", "favicon.svg"):
        found = files.answer(files.url_for_static(name), "gzip")
        assert found is not None
        sent += len(found.body)
    assert sent < 20_000
