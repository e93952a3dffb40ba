"""Serving: a launcher, and workers that hold the apps.

One worker imports the apps itself, so that the launcher stays small; several workers share what the
launcher imported before it forked. Keys and database are opened only in the workers. The process
environment is emptied first, because the server copies it into every request.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import multiprocessing
import os
import signal
import socket
import ssl
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from granian import Granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.log import LogLevels

from idp.gate import Gate
from idp.login.admission import admission_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from idp.settings import ServerSettings, Settings
    from idp.web.context import Context

    LoadStaffApp = Callable[[], Callable[[Context], Any]]

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_DRAIN_FOR = 10
#: For requests that wait their turn to write while a disk is slow; `Gate` keeps the others out of each other's way.
_SPARE_THREADS = 6
#: So many times as long as residents staff wait for the database: they search and count in all there is.
_STAFF_WAITS = 12
_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1  # malloc.h of the GNU C library
_MIB = 1 << 20
_TRIM_EVERY = 10


def serve(settings: Settings, *, load_staff_app: LoadStaffApp, only: str = "") -> bool:
    """Serve until a signal ends it; False when a worker found that it cannot work, and has said why.

    `only` is "residents" or "staff" for one app, empty for both by host name. `load_staff_app` imports the
    staff app's factory.
    """
    bind = settings.server.staff_bind if only == "staff" else settings.server.bind
    host, port = bind.rpartition(":")[0].strip("[]"), int(bind.rpartition(":")[2])
    if problem := tls_problem(settings.server) or _place_problem(host, port):
        sys.stderr.write(f"Error: {problem}\n")
        return False
    _empty_environment()
    faulthandler.enable()  # a crash of the interpreter itself says where, in the log, before the worker is replaced
    refused = multiprocessing.Value("b", 0)
    with _nothing_is_garbage():  # and what is imported before the fork, workers share
        if settings.server.workers > 1:
            import idp.app  # noqa: F401

            load_staff_app()
    Granian(
        "denizen",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=settings.server.workers,
        # Sign-ins that hash, or wait for their turn, can never hold the threads of everybody else.
        blocking_threads=settings.threads + admission_of(settings).places + _SPARE_THREADS,
        http=HTTPModes.http1,
        websockets=False,
        respawn_failed_workers=True,
        log_level=LogLevels.error,
        workers_kill_timeout=_DRAIN_FOR,
        ssl_cert=settings.server.tls_certificate,
        ssl_key=settings.server.tls_key,
        ssl_protocol_min=SSLProtocols[f"tls{settings.server.tls_minimum.replace('.', '')}"],
    ).serve(target_loader=lambda *_: _load(settings, load_staff_app, only, refused), wrap_loader=False)
    return not refused.value


def tls_problem(server: ServerSettings) -> str | None:
    """Why TLS cannot be spoken with the files of the settings, in the operator's words; None when it can, or is not to be."""
    if server.tls_certificate is None or server.tls_key is None:
        return None
    try:
        # The server ends without a word when it cannot read these.
        if "-----BEGIN PRIVATE KEY-----" not in server.tls_key.read_text(encoding="utf-8"):
            return f"{server.tls_key} is no PKCS 8 key; make one of it with: openssl pkey -in OLD -out NEW"
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(server.tls_certificate, server.tls_key)
    except ssl.SSLError:
        return f"{server.tls_certificate} and {server.tls_key} are no certificate and its key"
    except (OSError, UnicodeDecodeError) as error:
        return f"[server] tls_certificate or tls_key cannot be read ({type(error).__name__})"
    return None


def family_of(host: str) -> socket.AddressFamily:
    """How to listen at an address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def probe(host: str, port: int) -> None:
    """See that one can listen there, and that nobody does: a server that shares its port would not notice.

    Raises:
        OSError: when it cannot be.
    """
    with socket.socket(family_of(host)) as tried:
        # A connection that has just ended does not count; only a listener does.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((host, port))


def _place_problem(host: str, port: int) -> str | None:
    """Why nobody can listen there. Another Denizen would share the port, and each would answer some of the requests."""
    try:
        probe(host, port)
    except OSError as error:
        why = error.strerror or type(error).__name__
        return f"port {port} of {host} cannot be used: {why}. End what listens there, or choose another place"
    return None


def _load(settings: Settings, load_staff_app: LoadStaffApp, only: str, refused: Any) -> Any:
    """Everything of one worker process; a mistake in keys, schema or database ends the whole service with one line."""
    from sqlalchemy.exc import DBAPIError

    from idp.login.breached import BreachedFileProblem
    from idp.schema import SchemaOutdated, database_problem
    from keys.envelope import KeyFileError

    try:
        with _nothing_is_garbage():
            return _apps(settings, load_staff_app, only)
    except (KeyFileError, SchemaOutdated, BreachedFileProblem, DBAPIError) as error:
        with refused.get_lock():
            if not refused.value:
                told = database_problem(error) if isinstance(error, DBAPIError) else error
                sys.stderr.write(f"Error: {told}\n")
            refused.value = 1
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(1)


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """What is made inside stays for as long as the process: the garbage collector neither stops for it nor looks at it again.

    Looking meanwhile is a tenth of the time that a start takes; and pages that are never looked at stay shared after a fork.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _apps(settings: Settings, load_staff_app: LoadStaffApp, only: str) -> Gate:
    from idp.app import create_worker, open_context

    # A second process on the same SQLite file must leave checkpoints to the first.
    _give_memory_back()
    context = open_context(settings, checkpoints=only != "staff", answers_within=settings.database.wait_for)
    if only != "staff" and settings.server.worker == "inside":
        create_worker(context).start()
    return _gated(context, load_staff_app, only)


def _gated(context: Context, load_staff_app: LoadStaffApp, only: str) -> Gate:
    from idp.app import create_app, with_time

    settings = context.settings
    of_staff = with_time(context, settings.database.wait_for * _STAFF_WAITS)

    def afterwards() -> None:
        context.database.give_back()
        of_staff.database.give_back()

    app = load_staff_app()(of_staff) if only != "residents" else None
    if only != "staff":
        residents = create_app(context)
        app = by_host(residents, app, settings) if app else residents
    return Gate(app, at_once=settings.threads, afterwards=afterwards)


def by_host(residents: Any, staff: Any, settings: Settings) -> Any:
    """One listener for two apps, told apart by the Host header; an unknown host gets the residents' app."""
    staff_host = urlsplit(settings.server.staff_url).netloc

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        chosen = staff if environ.get("HTTP_HOST", "").lower() == staff_host else residents
        return chosen(environ, start_response)

    return app


def _give_memory_back() -> None:
    """Have the GNU C library return, every ten seconds, what password checks borrowed.

    Each check needs 19 MiB. Left alone, every thread keeps its own for good; mapped anew for each check, they
    cost 15 % more. One arena that is trimmed when a storm is over has neither price.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        return
    library.mallopt(_M_ARENA_MAX, 1)
    library.mallopt(_M_MMAP_THRESHOLD, 32 * _MIB)
    library.mallopt(_M_TRIM_THRESHOLD, 128 * _MIB)

    def trim() -> None:
        while True:
            time.sleep(_TRIM_EVERY)
            library.malloc_trim(0)

    threading.Thread(target=trim, name="denizen-memory", daemon=True).start()


def _empty_environment() -> None:
    environment = os.environ  # noqa: TID251 - emptied, not read
    for name in list(environment):
        if name not in _KEPT:
            del environment[name]
