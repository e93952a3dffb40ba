"""The log as anybody may read it: checkpoint, tiles, entries, keys and policy (C2SP tlog-tiles).

Nothing here is about a person: entries are commitments that only their resident or the town can open.
"""

from __future__ import annotations

import gzip
from functools import partial
from typing import TYPE_CHECKING, Any

from consent import log
from consent.log import policy, tiles
from idp.jobs.stamps import KEYS, Cached
from idp.upkeep import log_origin, note_signers
from idp.web.answers import NO_CONTENT_POLICY, SECURITY_HEADERS, Answer, Header

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from idp.web.context import Context
    from idp.web.incoming import Incoming
    from idp.web.pages import WebApp

PATH = "/log"
_TILES = f"{PATH}/tile/"
_TEXT = "text/plain; charset=utf-8"
_OPEN: tuple[Header, ...] = (
    ("Access-Control-Allow-Origin", "*"),
    NO_CONTENT_POLICY,
    *((name, value) for name, value in SECURITY_HEADERS if name != "Cross-Origin-Resource-Policy"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)
_NEVER, _SHORT, _FOREVER = "no-store", "public, max-age=300", "public, max-age=31536000, immutable"
#: Witnesses who have been silent for so long, in seconds, do not hold the log up.
_WITNESSED_WITHIN = 600
_ZIP_LEVEL = 1  # an entry is half hexadecimal digits: more effort gains nothing


def register(app: WebApp) -> None:
    """Serve the log's addresses."""
    context = app.context
    keys = Cached(context.database, KEYS, partial(_vkeys, context))
    serve: Callable[..., None] = app.protocol_endpoint
    get = ("GET", "HEAD")
    serve(f"{PATH}/checkpoint", get, partial(_checkpoint, context))
    serve(f"{PATH}/vkey", get, partial(_vkey, keys))
    serve(f"{PATH}/policy", get, partial(_policy, context, keys))
    serve(f"{_TILES}<path:where>", get, partial(_tile, context))


def policy_of(context: Context, vkeys: list[str]) -> str:
    """Which keys sign the log's checkpoints and how many of which witnesses must have seen one (tlog-policy)."""
    settings = context.settings
    url = f"{settings.server.issuer}{PATH}"
    named = [(one.name, one.vkey, one.url) for one in settings.log.witnesses]
    return policy.policy_text(
        logs=[(vkey, url) for vkey in vkeys], witnesses=named, quorum=settings.log.quorum
    )


def _vkeys(context: Context, session: Session) -> list[str]:
    """The verifier key that signs now, then those that did before."""
    signer, earlier = note_signers(session, context)
    assert signer.name == log_origin(context.settings)
    return [signer.vkey, *earlier]


def _checkpoint(context: Context, incoming: Incoming) -> Answer:
    since = context.now() - _WITNESSED_WITHIN
    quorum = context.settings.log.quorum if context.settings.log.witnesses else 0
    note = log.published_checkpoint(context.database.fast, quorum=quorum, since=since)
    if note is None:
        return _missing(incoming, "The log is empty.")
    return _answer(incoming, note.encode(), _TEXT, _NEVER)


def _vkey(keys: Cached[list[str]], incoming: Incoming) -> Answer:
    return _answer(incoming, "".join(f"{one}\n" for one in keys.get()).encode(), _TEXT, _SHORT)


def _policy(context: Context, keys: Cached[list[str]], incoming: Incoming) -> Answer:
    return _answer(incoming, policy_of(context, keys.get()).encode(), _TEXT, _SHORT)


def _tile(context: Context, incoming: Incoming) -> Answer:
    named = tiles.parse_tile_path(incoming.environ["PATH_INFO"].removeprefix(_TILES))
    if named is None:
        return _missing(incoming, "No tile has such a name.")
    level, index, width = named
    if isinstance(level, int):
        hashes = tiles.tile(context.database.fast, level, index, width)
        content = None if hashes is None else b"".join(hashes)
    else:
        content = tiles.bundle(context.database.fast, index, width)
    if content is None:
        return _missing(incoming, "The log has not grown so far.")
    more: list[Header] = []
    if level == tiles.ENTRIES_LEVEL:
        content, more = _zipped(incoming, content)
    return _answer(incoming, content, "application/octet-stream", _FOREVER, *more)


def _zipped(incoming: Incoming, content: bytes) -> tuple[bytes, list[Header]]:
    """Entries shrink to half; hashes do not shrink."""
    vary = ("Vary", "Accept-Encoding")
    accepted = incoming.header("HTTP_ACCEPT_ENCODING").lower().split(",")
    if not any(
        one.strip().split(";")[0] == "gzip" and "q=0" not in one.replace("q=0.", "") for one in accepted
    ):
        return content, [vary]
    return gzip.compress(content, _ZIP_LEVEL, mtime=0), [vary, ("Content-Encoding", "gzip")]


def _missing(incoming: Incoming, text: str) -> Answer:
    return _answer(incoming, f"{text}\n".encode(), _TEXT, _NEVER, status=404)


def _answer(
    incoming: Incoming, body: bytes, kind: str, caching: str, *more: Header, status: int = 200
) -> Answer:
    headers: list[Any] = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", caching),
        *_OPEN,
        *more,
    ]
    return Answer(status, headers, body if incoming.method == "GET" else b"")
