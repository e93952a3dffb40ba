"""Real SMS gateways on this machine: they keep what they are sent, and answer as their vendors document."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

#: Status and JSON of an answer, or None to close the connection without one.
Answer = tuple[int, Any] | None


@dataclass(frozen=True)
class Text:
    """One text message that a gateway took."""

    to: str
    text: str
    sender: str


@dataclass(frozen=True)
class Asked:
    """One request as it came: `fields` from JSON, form or address."""

    method: str
    path: str
    headers: dict[str, str]
    fields: dict[str, Any]


class SmsPort:
    """A gateway on a free loopback port. `url` says where; `secret` is the bearer token it wants.

    `mood(asked)` may give another answer than success, for one request or all.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, mood: Callable[[Asked], Answer | str] | None = None
    ) -> None:
        self.secret = secrets.token_urlsafe(12)
        self.mood = mood
        self._arrived = threading.Condition()
        self._texts: list[Text] = []
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.port = self  # type: ignore[attr-defined]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}/send"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def settings(self) -> dict[str, Any]:
        """The `[sms]` section for this gateway, by the generic adapter."""
        return {
            "provider": "http",
            "sender": "Riverton",
            "url": self.url,
            "headers": {"Authorization": f"Bearer {self.secret}"},
            "fields": {"to": "{to}", "from": "{sender}", "message": {"text": "{text}"}, "ref": "{id}"},
            "success_field": "result.status",
            "success_values": ["queued"],
            "id_field": "result.id",
        }

    def answer(self, asked: Asked) -> Answer:
        """What this company answers; a message that it takes is kept."""
        if asked.headers.get("authorization") != f"Bearer {self.secret}":
            return 401, {"error": "unauthorized"}
        text = asked.fields["message"]["text"] if "message" in asked.fields else asked.fields["text"]
        self.keep(Text(asked.fields["to"], text, asked.fields.get("from", "")))
        return 202, {"result": {"status": "queued", "id": f"gw-{len(self.texts)}"}}

    def keep(self, text: Text) -> None:
        with self._arrived:
            self._texts.append(text)
            self._arrived.notify_all()

    def handle(self, asked: Asked) -> Answer:
        with self._arrived:
            self.asked.append(asked)
        if self.mood is not None:
            said = self.mood(asked)
            if not isinstance(said, str):  # a word means: answer as usual
                return said
        return self.answer(asked)

    @property
    def texts(self) -> list[Text]:
        """What has arrived so far, oldest first."""
        with self._arrived:
            return list(self._texts)

    def wait_for(self, count: int, timeout: float = 10) -> list[Text]:
        """All text messages, as soon as there are `count` of them."""
        with self._arrived:
            enough = self._arrived.wait_for(lambda: len(self._texts) >= count, timeout)
            assert enough, f"{len(self._texts)} of {count} text messages arrived within {timeout} s"
            return list(self._texts)


class TwilioPort(SmsPort):
    """Answers as Twilio's Messages API does (2010-04-01): 201 with a sid, or an error with `code` and `status`."""

    account = "AC" + "0123456789abcdef" * 2
    #: Numbers that Twilio documents for its test credentials, and what they answer.
    MAGIC: ClassVar = {
        "+15005550001": (400, 21211),
        "+15005550002": (400, 21612),
        "+15005550003": (400, 21408),
        "+15005550004": (400, 21610),
        "+15005550009": (400, 21614),
    }

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "provider": "twilio",
            "sender": "+15005550006",
            "account": self.account,
            "secret": self.secret,
            "url": self.url.removesuffix("/send"),
        }

    def answer(self, asked: Asked) -> Answer:
        expected = base64.b64encode(f"{self.account}:{self.secret}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {expected}":
            return self.error(401, 20003)
        if (asked.method, asked.path) != ("POST", f"/2010-04-01/Accounts/{self.account}/Messages.json"):
            return self.error(404, 20404)
        if asked.headers.get("content-type") != "application/x-www-form-urlencoded":
            return self.error(400, 20001)
        to, text = asked.fields.get("To", ""), asked.fields.get("Body", "")
        if to in self.MAGIC:
            return self.error(*self.MAGIC[to])
        if not text:
            return self.error(400, 21602)
        self.keep(Text(to, text, asked.fields.get("From", "")))
        sid = f"SM{len(self.texts):032x}"
        return 201, {
            "sid": sid,
            "account_sid": self.account,
            "to": to,
            "from": asked.fields.get("From"),
            "body": text,
            "status": "queued",
            "num_segments": "1",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{self.account}/Messages/{sid}.json",
        }

    @staticmethod
    def error(status: int, code: int) -> Answer:
        """An error in Twilio's form."""
        said = {
            "code": code,
            "message": "The 'To' number +15005550001 …",
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }
        return status, said


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(
            self.command,
            unquote(parts.path),
            headers,
            _fields(headers.get("content-type", ""), parts.query, body),
        )
        answer = self.server.port.handle(asked)  # type: ignore[attr-defined]
        self.close_connection = True
        if answer is None:
            return
        content = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        pass


def _fields(content_type: str, query: str, body: bytes) -> dict[str, Any]:
    if content_type.startswith("application/json"):
        found: dict[str, Any] = json.loads(body)
        return found
    text = query or body.decode()
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
