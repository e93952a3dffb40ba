"""Serving: one launcher that imports everything, then forks workers that share those pages.

The database is opened only in the workers. The process environment is emptied first, because the server
copies it into every request.
"""

from __future__ import annotations

import gc
import logging
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from idp.app import create_app, create_worker, open_context
from idp.schema import check_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.settings import Settings

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


def serve(settings: Settings, *, make_staff_app: Callable[[Any], Any] | None, only: str = "") -> None:
    """Serve until a signal ends it. `only` is "residents" or "staff" for one app, empty for both by host name.

    Raises:
        keys.envelope.KeyFileError, idp.schema.SchemaOutdated: before anything listens.
    """
    check_ready(settings)
    _empty_environment()
    bind = settings.server.staff_bind if only == "staff" else settings.server.bind
    host, _, port = bind.rpartition(":")
    gc.collect()
    gc.freeze()
    Granian(
        "denizen",
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=settings.server.workers,
        blocking_threads=settings.server.threads,
        http=HTTPModes.http1,
        websockets=False,
        respawn_failed_workers=True,
        log_level=LogLevels.warning,
        workers_kill_timeout=30,
    ).serve(target_loader=lambda *_: _load(settings, make_staff_app, only), wrap_loader=False)


def check_ready(settings: Settings) -> None:
    """Open keys and database once and close them again, so that a mistake is told before the service listens."""
    context = open_context(settings)
    check_schema(context.database)
    context.database.close()


def _load(settings: Settings, make_staff_app: Callable[[Any], Any] | None, only: str) -> Any:
    """Everything of one worker process."""
    # A second process on the same SQLite file must leave checkpoints to the first.
    context = open_context(settings, checkpoints=only != "staff")
    if only == "staff":
        assert make_staff_app is not None
        return make_staff_app(context)
    create_worker(context).start()
    residents = create_app(context)
    if only == "residents" or make_staff_app is None:
        return residents
    return by_host(residents, make_staff_app(context), settings)


def by_host(residents: Any, staff: Any, settings: Settings) -> Any:
    """One listener for two apps, told apart by the Host header; an unknown host gets the residents' app."""
    staff_host = urlsplit(settings.server.staff_url).netloc

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        chosen = staff if environ.get("HTTP_HOST", "").lower() == staff_host else residents
        return chosen(environ, start_response)

    return app


def _empty_environment() -> None:
    environment = os.environ  # noqa: TID251 - emptied, not read
    for name in list(environment):
        if name not in _KEPT:
            del environment[name]


logging.getLogger("_granian").setLevel(logging.WARNING)
