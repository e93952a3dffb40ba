"""The door for certificates: TLS that asks for one, before the town, and says which it was (RFC 9440 §2).

The town's own server asks nobody for a certificate, so that a plan by mutual TLS needs something in front. In a real
town that is a reverse proxy (docker/nginx.conf); this is enough for one suite on one machine.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from idp.serve import family_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_BODY_LIMIT: Final = 64 * 1024
_TIMEOUT: Final = 60
#: Said anew by us, or nobody's to say through a proxy.
_KEPT_BACK: Final = frozenset(
    {
        "client-cert",
        "client-cert-chain",
        "connection",
        "forwarded",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    }
)


class Door(ThreadingHTTPServer):
    """Listens at `address` and asks the town at `town`, both host and port; certificates of `trusted` may pass.

    `secret` ends the names of what it tells the town (`[server] proxy_secret`): the town would believe the whole
    machine else.
    """

    daemon_threads = True
    request_queue_size = 32

    def __init__(
        self,
        address: tuple[str, int],
        town: tuple[str, int],
        *,
        certificate: str,
        key: str,
        trusted: Iterable[str],
        secret: str,
    ) -> None:
        self.address_family = family_of(address[0])
        super().__init__(address, _Handler)
        self.town, self.secret = town, secret
        self._tls = _server_side(certificate, key, trusted)
        # The town is our own child, found by its port: its certificate is for the name that others use.
        self.client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client_side.check_hostname = False
        self.client_side.verify_mode = ssl.CERT_NONE
        self._thread = threading.Thread(target=self.serve_forever, name="door", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End, once what is under way has its answer."""
        self.shutdown()
        self.server_close()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake, in the thread of this one connection; whoever does not finish it is not served."""
        request.settimeout(_TIMEOUT)
        with suppress(OSError), self._tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)


def _server_side(certificate: str, key: str, trusted: Iterable[str]) -> ssl.SSLContext:
    """TLS 1.2 with the suites that RFC 9325 §4.2 recommends, and 1.3; a certificate may be shown, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM")
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_OPTIONAL
    # A certificate that signed itself, or came without its authority, is known by itself.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for pem in trusted:
        context.load_verify_locations(cadata=pem)
    return context


class _Handler(BaseHTTPRequestHandler):
    server: Door
    connection: ssl.SSLSocket
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        self.close_connection = True
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > _BODY_LIMIT:
            self.send_error(411 if "Transfer-Encoding" in self.headers else 413)
            return
        body = self.rfile.read(int(length))
        host, port = self.server.town
        town = http.client.HTTPSConnection(host, port, context=self.server.client_side, timeout=_TIMEOUT)
        try:
            town.request(self.command, self.path, body=body or None, headers=self._headers())
            self._answer(town.getresponse())
        except (OSError, http.client.HTTPException):
            self.send_error(502)
        finally:
            town.close()

    def _headers(self) -> dict[str, str]:
        sent = {
            name: value
            for name, value in self.headers.items()
            if name.lower().replace("_", "-") not in _KEPT_BACK
        }
        certificate, secret = self.connection.getpeercert(binary_form=True), self.server.secret
        if certificate:
            sent[f"Client-Cert-{secret}"] = f":{base64.b64encode(certificate).decode()}:"
        return {**sent, f"X-Forwarded-For-{secret}": str(self.client_address[0])}

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        body = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _pass_on  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Addresses carry codes and states: none of them is written down."""
