"""What anybody needs to check a receipt: the keys that sign them, and those of the log, at one lasting address."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from consent.receipts.ports import ReceiptPorts, init_app
from idp.jobs.stamps import KEYS, Cached
from idp.paper.receipts import receipt_printer
from idp.upkeep import note_signers
from idp.web.answers import NO_CONTENT_POLICY, SECURITY_HEADERS, Answer
from keys.rotation import list_keys
from keys.signing import KeyRing, load_ring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from idp.web.context import Context
    from idp.web.incoming import Incoming
    from idp.web.pages import WebApp

PATH: Final = "/receipts/jwks"
USE: Final = "receipts"
ALGORITHM: Final = "ES256"
_CACHE_FOR: Final = 300


def register(app: WebApp) -> None:
    """Give the app its receipts: the published keys, and what their pages need of the house."""
    receipts = PublishedReceipts(app.context)
    init_app(app, receipts.ports())
    app.protocol_endpoint(PATH, ("GET", "HEAD"), receipts.answer)


class PublishedReceipts:
    """The keys of receipts as they stand: those that sign, and all that ever did."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._published = Cached(context.database, KEYS, self._read)
        self._ring: Cached[KeyRing] = Cached(context.database, KEYS, self._load)

    def answer(self, incoming: Incoming) -> Answer:
        """`/receipts/jwks`: a JWK Set (RFC 7517) with the log's verifier keys beside it, for pages anywhere to read."""
        body = self._published.get()
        found = _prepared(body)
        if incoming.header("HTTP_IF_NONE_MATCH") == dict(found.headers)["ETag"]:
            return Answer(304, [one for one in found.headers if not one[0].startswith("Content-")])
        return Answer(200, found.headers, b"" if incoming.method == "HEAD" else body)

    def ports(self) -> ReceiptPorts:
        """What the receipts' pages need of the house."""
        context = self._context
        return ReceiptPorts(
            issuer=context.settings.server.issuer,
            town=context.settings.town.name,
            service_key=context.vault.subkey("log"),
            sign=self.sign,
            pdf=receipt_printer(context.settings, context.now),
        )

    def sign(self, _connection: Any, claims: Mapping[str, Any], typ: str) -> str:
        """A compact JWS by the key that signs now."""
        return self._ring.get().current(ALGORITHM).sign(claims, typ)

    def _load(self, session: Any) -> KeyRing:
        return load_ring(session, self._context.vault, use=USE)

    def _read(self, session: Any) -> bytes:
        signer, earlier = note_signers(session, self._context)
        return orjson.dumps(
            {
                "issuer": self._context.settings.server.issuer,
                "keys": public_keys(session),
                "log_vkeys": [signer.vkey, *earlier],
            }
        )


def public_keys(session: Any) -> list[dict[str, Any]]:
    """Every key that ever signed or will sign receipts, with the time in which it does: receipts are kept for life.

    ``iat`` and ``exp`` say since and until when, in Unix seconds, as in historical key sets of OpenID Federation §8.7.
    """
    found = []
    for key in list_keys(session):
        if key.use == USE and (key.activated_at is not None or key.state == "next"):
            since = {} if key.activated_at is None else {"iat": key.activated_at}
            until = {} if key.demoted_at is None else {"exp": key.demoted_at}
            found.append({**key.public_jwk, **since, **until})
    return found


@lru_cache(maxsize=4)
def _prepared(body: bytes) -> Answer:
    headers = [
        ("Content-Type", "application/jwk-set+json"),
        ("Content-Length", str(len(body))),
        ("ETag", f'"{hashlib.sha256(body).hexdigest()[:32]}"'),
        ("Cache-Control", f"public, max-age={_CACHE_FOR}"),
        ("Access-Control-Allow-Origin", "*"),
        NO_CONTENT_POLICY,
        *((name, value) for name, value in SECURITY_HEADERS if name != "Cross-Origin-Resource-Policy"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
    ]
    return Answer(200, headers, body)
