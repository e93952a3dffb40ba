"""Static files as prepared bytes: read once, named by their content, compressed ahead of time.

An address holds a hash of the content, so browsers may keep a file for ever and a new version has a new
address. Files whose address must stay the same (`/brand.css`) are asked for again each time, with an ETag.
"""

import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from idp.web.paths import STATIC

Header = tuple[str, str]

_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSIBLE = (".css", ".js", ".svg", ".txt")
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


class StaticAnswer(NamedTuple):
    """Status, headers and body, for whatever server is in front."""

    status: int
    headers: list[Header]
    body: bytes


class _Variant(NamedTuple):
    etag: str
    headers: tuple[Header, ...]
    body: bytes


class _Prepared(NamedTuple):
    plain: _Variant
    packed: _Variant | None


class StaticFiles:
    """The files below one folder, and files made in memory. Not changed after start-up."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._urls: dict[str, str] = {}
        self._files: dict[str, _Prepared] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix in _CONTENT_TYPES and path.is_file():
                self.register(path.name, path.read_bytes())

    def register(self, name: str, content: bytes, *, at: str | None = None) -> str:
        """Serve `content` as the file `name`; give its address `/static/<stem>.<hash8>.<ext>`.

        `at` is a second, lasting address, such as `/brand.css`, which browsers revalidate each time.
        A name registered before is replaced. Raises `KeyError` for an unknown file extension.
        """
        stem, suffix = Path(name).stem, Path(name).suffix
        digest = hashlib.sha256(content).hexdigest()
        url = f"/static/{stem}.{digest[:8]}{suffix}"
        self._files.pop(self._urls.get(name, ""), None)
        self._urls[name] = url
        self._files[url] = _prepare(content, suffix, digest, _FOR_EVER)
        if at is not None:
            self._files[at] = _prepare(content, suffix, digest, _ASK_AGAIN)
        return url

    def url_for_static(self, name: str) -> str:
        """The address of the file `name`; raises `KeyError` when there is none, so that a page's test fails."""
        return self._urls[name]

    def answer(self, path: str, accept_encoding: str = "", if_none_match: str = "") -> StaticAnswer | None:
        """Answer GET or HEAD of `path`, given two request headers; None when there is no such file.

        Strong ETags, one per encoding; 304 when the browser has the file (RFC 9110 §8.8.3, §13.1.2).
        """
        prepared = self._files.get(path)
        if prepared is None:
            return None
        packed = prepared.packed
        chosen = packed if packed is not None and accepts_gzip(accept_encoding) else prepared.plain
        if _matches(if_none_match, chosen.etag):
            kept = [pair for pair in chosen.headers if not pair[0].startswith("Content-")]
            return StaticAnswer(304, kept, b"")
        return StaticAnswer(200, list(chosen.headers), chosen.body)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110 §12.5.3); an absent header does not."""
    weights: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameter = item.partition(";")
        weight = parameter.replace(" ", "").removeprefix("q=")
        weights[coding.strip()] = weight.strip("0.") != "" or weight == ""
    return weights.get("gzip", weights.get("*", False))


def _matches(if_none_match: str, etag: str) -> bool:
    known: Sequence[str] = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in known or if_none_match.strip() == "*"


def _prepare(content: bytes, suffix: str, digest: str, cache_control: str) -> _Prepared:
    common = [
        ("Content-Type", _CONTENT_TYPES[suffix]),
        ("Cache-Control", cache_control),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if suffix not in _COMPRESSIBLE:
        return _Prepared(_variant(common, content, digest[:32]), None)
    common.append(("Vary", "Accept-Encoding"))
    plain = _variant(common, content, digest[:32])
    packed = gzip.compress(content, 9, mtime=0)
    if len(packed) >= len(content):
        return _Prepared(plain, None)
    return _Prepared(plain, _variant([*common, ("Content-Encoding", "gzip")], packed, f"{digest[:32]}-gz"))


def _variant(headers: Sequence[Header], body: bytes, tag: str) -> _Variant:
    etag = f'"{tag}"'
    return _Variant(etag, (*headers, ("ETag", etag), ("Content-Length", str(len(body)))), body)
