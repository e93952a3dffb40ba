"""What every small site of the demo shares: where its files are, its headers, and a quiet server in a thread."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Response

_HERE = Path(__file__).parent


def new_site(name: str, *, form_targets: Sequence[str] = (), has_frames: bool = False) -> Flask:
    """An empty Flask app with strict headers. Forms may lead to itself and to `form_targets` (origins)."""
    app = Flask(name, template_folder=str(_HERE / "templates"), static_folder=str(_HERE / "static"))
    # Another site that points its own name at this machine gets no answer (DNS rebinding).
    app.config["TRUSTED_HOSTS"] = ["localhost", "127.0.0.1"]
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    targets = " ".join(("'self'", *form_targets))
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {targets}{'; frame-src ' + chr(39) + 'self' + chr(39) if has_frames else ''}"
    )

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        if not (response.mimetype or "").startswith(("text/css", "image/")):
            response.headers["Cache-Control"] = "no-store"
        return response

    return app


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Addresses carry codes and states: none of them is written down."""


class SiteServer:
    """Serves a WSGI app on a loopback port in threads."""

    def __init__(self, app: Any, port: int) -> None:
        self._server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, name=f"site-{port}", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=5)
        self._server.server_close()
