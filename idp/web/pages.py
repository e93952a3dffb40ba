"""Pages: one Flask base for both apps, with languages, CSRF, security headers and error pages.

The hot endpoints of an app answer before Flask's dispatch, from a small table; the same functions are
registered as ordinary views, so there is one implementation and two ways in.
"""

from __future__ import annotations

import logging
import re
import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app, g, render_template, request, url_for
from flask_babel import Babel, gettext
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from idp.db import is_no_text, is_unavailable
from idp.web import languages, times
from idp.web.answers import (
    HSTS,
    NO_STORE,
    SECURITY_HEADERS,
    STATUS_LINES,
    Answer,
    Header,
    empty_answer,
    json_answer,
)
from idp.web.cookies import VALUE_LENGTH
from idp.web.csrf import csrf_token, is_forged
from idp.web.incoming import BODY_LIMIT, FIELD_LIMIT, BadRequest, Incoming
from idp.web.paths import LOCALE
from idp.web.proxies import headers_of_proxy, source_named, spellings_of
from idp.web.statics import StaticFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from wsgiref.types import StartResponse

    from idp.web.context import Context

    Handler = Callable[[Incoming], Answer | None]

log = logging.getLogger("denizen.web")

#: In a request's environment: whether its answer lies ready as a whole, so that it goes to the server in one piece.
_WHOLE = "denizen.answer_is_whole"

#: As long as our links and handles are, or longer.
_SECRET_IN_PATH = re.compile(rf"[A-Za-z0-9_-]{{{VALUE_LENGTH},}}")


class WebApp(Flask):
    """A Flask app whose hot endpoints take a shorter way in."""

    def __init__(
        self, name: str, *, address: str, cookie_prefix: str, context: Context, hot: bool = True
    ) -> None:
        super().__init__(name, static_folder=None, template_folder=None)
        self.context = context
        self.cookie_prefix = cookie_prefix
        self.is_secure = address.startswith("https://")
        self.always: tuple[Header, ...] = (HSTS,) if self.is_secure else ()
        #: What a page has unless it says otherwise, each with its name as it is compared.
        self.usual = [(name.lower(), (name, value)) for name, value in (*SECURITY_HEADERS, *self.always)]
        self.extensions["denizen"] = context
        self._hot_enabled = hot
        self._hot: dict[tuple[str, str], Handler] = {}
        self._trusted = frozenset(spellings_of(context.settings.server.trusted_proxies))
        self._headers = headers_of_proxy(context.settings.server.proxy_secret)
        # A proxy that asks nobody for a certificate may let anybody's header through.
        self._has_certificates = bool(context.settings.server.mtls_url)
        self.statics = StaticFiles()
        #: Pages that are the same for everybody but for what `idp.login.ready_page` fills in.
        self.ready_pages: dict[tuple[Hashable, ...], str] = {}
        self.config.update(
            MAX_CONTENT_LENGTH=BODY_LIMIT, MAX_FORM_MEMORY_SIZE=BODY_LIMIT, MAX_FORM_PARTS=FIELD_LIMIT
        )
        self.jinja_env.undefined = StrictUndefined
        self.jinja_env.autoescape = True

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: no view here is a coroutine, and Flask would look at each for every request."""
        return func

    def protocol_endpoint(
        self, path: str, methods: Iterable[str], handler: Handler, page: Callable[[], Any] | None = None
    ) -> None:
        """Serve `handler` at `path` by both ways. `page` takes over when the handler answers None.

        These endpoints are called by partners' software, not by our pages: they have no CSRF token.
        """

        def view(**_parts: str) -> Any:
            if request.method not in allowed:
                raise MethodNotAllowed(allowed)
            answer = self._guarded(handler, incoming())
            if answer is None:
                return page() if page is not None else empty_answer(404)
            return as_response(answer)

        view.is_protocol = True  # type: ignore[attr-defined]
        allowed = [*methods]
        self.add_url_rule(
            path, endpoint=path, view_func=view, methods=allowed, provide_automatic_options=False
        )
        if self._hot_enabled:
            self._hot.update({(method, path): handler for method in allowed})

    def ask_first(self, method: str, path: str, handler: Handler) -> None:
        """Ask `handler` before a page's own view, which is called when it answers None."""
        if self._hot_enabled:
            self._hot[method, path] = handler

    def wsgi_app(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a hot endpoint at once; everything else goes through Flask's dispatch."""
        if environ.get("REMOTE_ADDR") in self._trusted:
            source, certificate, chain = self._headers
            environ["REMOTE_ADDR"] = source_named(environ.get(source, "")) or environ["REMOTE_ADDR"]
            if self._has_certificates and certificate in environ:
                environ["denizen.client_certificate"] = (environ[certificate], environ.get(chain, ""))
        handler = self._hot.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if handler is not None:
            found = Incoming(environ)
            answer = self._guarded(handler, found)
            if answer is not None:
                start_response(STATUS_LINES[answer.status], [*answer.headers, *self.always])
                return [answer.body]
            environ["denizen.incoming"] = found
        response: Any = super().wsgi_app(environ, start_response)
        if not environ.get(_WHOLE):
            return response  # type: ignore[no-any-return]
        with closing(response):
            return [*response]

    def _guarded(self, handler: Handler, found: Incoming) -> Answer | None:
        """No exception of a protocol endpoint reaches the caller as anything but a clear error."""
        try:
            return handler(found)
        except BadRequest as refusal:
            return json_answer(
                refusal.status, {"error": "invalid_request", "error_description": refusal.public}
            )
        except Exception as error:
            reference = new_reference()
            if is_unavailable(error):
                log.warning("unavailable reference=%s cause=%s", reference, type(error).__name__)
                return json_answer(
                    503,
                    {
                        "error": "temporarily_unavailable",
                        "error_description": f"Try again soon. Reference {reference}.",
                    },
                    ("Retry-After", "5"),
                )
            log.exception("failed reference=%s", reference)
            return json_answer(
                500,
                {
                    "error": "server_error",
                    "error_description": f"Something went wrong. Reference {reference}.",
                },
            )


def as_response(answer: Answer) -> Response:
    """An answer of the protocol, given by a view."""
    response = Response(status=answer.status, headers=[*answer.headers])
    response.response = [answer.body]  # as it is: HEAD keeps its Content-Length
    return response


def incoming() -> Incoming:
    """The current Flask request as the protocol reads it; a body already read stays read."""
    found: Incoming | None = request.environ.get("denizen.incoming")
    if found is None:
        found = request.environ["denizen.incoming"] = Incoming(request.environ)
    return found


def new_reference() -> str:
    """A short word that a page shows and the log holds, so that both can be brought together."""
    return secrets.token_hex(4)


def init_pages(app: WebApp) -> None:
    """Give an app its pages: languages, CSRF, headers, error pages, static files."""
    settings = app.context.settings
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(LOCALE)
    Babel(
        app,
        locale_selector=languages.current_locale,
        timezone_selector=lambda: settings.town.time_zone,
    )
    app.before_request(_start)
    app.after_request(_finish)
    app.after_request(languages.remember)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(BadRequest, _bad_request)
    app.register_error_handler(Exception, _unexpected)
    app.add_url_rule("/static/<path:name>", endpoint="static", view_func=_static)
    app.add_url_rule("/brand.css", endpoint="brand", view_func=_static)
    app.context_processor(_page_values)
    # flask-babel looks its catalogue up for every text of a page.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: languages.catalogue().ugettext(text),
        ngettext=lambda one, many, count: languages.catalogue().ungettext(one, many, count),
        newstyle=True,
        pgettext=lambda of, text: languages.catalogue().upgettext(of, text),
        npgettext=lambda of, one, many, count: languages.catalogue().unpgettext(of, one, many, count),
    )
    app.jinja_env.globals.update(csrf_token=csrf_token, static_url=app.statics.url_for_static)
    app.jinja_env.filters["day_time"] = times.day_time
    app.jinja_env.filters["day"] = times.day


def web_app() -> WebApp:
    """The app that answers the current request."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's own way
    assert isinstance(app, WebApp)
    return app


def _start() -> Response | None:
    """Before any view: who we are, and proof that a form came from a page of ours."""
    app = web_app()
    g.cookie_prefix, g.cookie_secure = app.cookie_prefix, app.is_secure
    if "\0" in request.path:
        return error_page(404, gettext("Page not found"), gettext("There is nothing at this address."))
    view = app.view_functions.get(request.endpoint or "")
    changes_something = request.method not in ("GET", "HEAD", "OPTIONS")
    if view is None or not changes_something or getattr(view, "is_protocol", False) or not is_forged():
        return None
    return error_page(
        403,
        gettext("This form is no longer valid"),
        gettext("The page was open for a long time, or cookies are switched off."),
        gettext("Go back, load the page again and send it once more."),
    )


def _finish(response: Response) -> Response:
    """After every view: the headers that no page may lack."""
    headers = response.headers
    own = {name.lower(): value for name, value in headers}  # to look a name up in them reads them all
    if "content-security-policy" not in own:
        headers.add("Content-Security-Policy", page_policy())
    elif "frame-ancestors *" in own["content-security-policy"]:  # the page says itself that it is made for it
        headers.remove("X-Frame-Options")
        own["x-frame-options"] = ""
    if "cache-control" not in own:
        headers.extend(NO_STORE)
    headers.extend([header for name, header in web_app().usual if name not in own])
    request.environ[_WHOLE] = response.is_sequence
    return response


def page_policy() -> str:
    """Only our own styles and images (the style sheet carries its icons as data); forms go to us and on to where we redirect.

    No script, but for our own files on the few pages that set `g.runs_script`: a passkey needs one. No frames, but for
    those of partners on the page that sets `g.frame_sources`.
    """
    more = g.get("form_targets", "")
    script = "script-src 'self'; connect-src 'self'; " if g.get("runs_script") else ""
    frames = f"frame-src {g.frame_sources}; " if g.get("frame_sources") else ""
    return (
        f"default-src 'none'; {script}{frames}style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self'{more}"
    )


def _static(name: str = "") -> Response:
    found = web_app().statics.answer(
        request.path, request.headers.get("Accept-Encoding", ""), request.headers.get("If-None-Match", "")
    )
    if found is None:
        return error_page(
            404, gettext("Page not found"), gettext("There is nothing at this address: %(name)s", name=name)
        )
    status, headers, body = found
    return Response(body, status, headers)


def _page_values() -> dict[str, Any]:
    town = web_app().context.settings.town
    return {
        "town": {
            "name": town.name,
            "crest_url": town.crest or None,
            "contact": town.contact_email,
            "links": [
                (gettext("Privacy"), "/privacy-statement"),
                (gettext("Accessibility"), "/accessibility"),
                (gettext("Help"), "/help"),
                (gettext("Who sees my data?"), "/privacy"),
            ],
        },
        "languages": languages.offered_languages(),
        "language": languages.current_language(),
        "direction": languages.direction(),
        "url_for": url_for,
    }


def loggable_path() -> str:
    """The path of this request without what it may hold of links and handles: the log never holds a secret."""
    return _SECRET_IN_PATH.sub("…", request.path)


def error_page(  # noqa: PLR0917
    status: int,
    title: str,
    message: str,
    what_to_do: str = "",
    oauth_error: str | None = None,
    reference: str = "",
) -> Response:
    """A page that says what happened, what to do, and the reference under which the log knows it."""
    reference = reference or new_reference()
    log.info(
        "refused reference=%s status=%d error=%s path=%s", reference, status, oauth_error, loggable_path()
    )
    html = render_template(
        "ui/error.html",
        title=title,
        message=message,
        what_to_do=what_to_do,
        reference=reference,
        oauth_error=oauth_error,
        # The address of a form says something else when it is opened, if it says anything.
        languages=[] if request.method == "POST" else languages.offered_languages(),
    )
    return Response(html, status, content_type="text/html; charset=utf-8")


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if isinstance(error, RequestRedirect):
        return error.get_response()
    texts = {
        404: (gettext("Page not found"), gettext("There is nothing at this address.")),
        405: (gettext("This does not work here"), gettext("The page cannot be used in this way.")),
        409: (
            gettext("This was not done"),
            gettext(
                "You were signed out, or your account was changed, in this very moment. Nothing was saved."
            ),
        ),
        413: (gettext("That is too much"), gettext("The form is larger than this page accepts.")),
    }
    unreadable = (
        gettext("This could not be read"),
        gettext("The request has a mistake, so nothing was done."),
    )
    response = error_page(status, *texts.get(status, unreadable))
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


def _bad_request(refusal: BadRequest) -> Response:
    return error_page(
        refusal.status,
        gettext("This could not be read"),
        gettext("The request has a mistake, so nothing was done."),
    )


def _unexpected(error: Exception) -> Response:
    if is_no_text(error):
        return _bad_request(BadRequest("A value has a NUL in it"))
    reference = new_reference()
    if is_unavailable(error):
        log.warning("unavailable reference=%s cause=%s", reference, type(error).__name__)
        response = error_page(
            503,
            gettext("Please try again in a moment"),
            gettext("The service is busy or being looked after. Nothing you entered was saved."),
            gettext("Wait a minute, then load the page again."),
            reference=reference,
        )
        response.headers["Retry-After"] = "5"
        return response
    log.error("failed reference=%s", reference, exc_info=error)
    return error_page(
        500,
        gettext("Something went wrong"),
        gettext("It is our mistake, not yours. Nothing was saved."),
        gettext("Try again. If it happens again, tell us the reference below."),
        reference=reference,
    )
