"""The resident app: `create_app` is the only place that knows all its parts."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, FileSystemLoader

from consent import ports as consent_ports
from consent import views as consent_views
from idp import health
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.clients.registry import ClientRegistry
from idp.db import Database
from idp.home.views import bp as home_bp
from idp.jobs.worker import Worker
from idp.login import ports as login_ports
from idp.login.current import signed_in, to_sign_in
from idp.login.passkey_views import bp as passkeys_bp
from idp.login.passwords import Passwords
from idp.login.views import bp as login_bp
from idp.oidc import interactions, service
from idp.oidc.provider import Provider
from idp.oidc.views import (
    authorize,
    discovery,
    interaction,
    introspect,
    logout,
    release,
    revoke,
    token,
    userinfo,
)
from idp.schema import check_schema
from idp.signup.views import bp as signup_bp
from idp.upkeep import jobs
from idp.web.brand import brand_css
from idp.web.context import Context
from idp.web.languages import current_language
from idp.web.pages import WebApp, init_pages
from idp.web.paths import TEMPLATES
from keys.envelope import load_key_file, open_vault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from werkzeug.wrappers import Response

    from idp.settings import Settings


def open_context(
    settings: Settings, *, clock: Callable[[], float] = time.time, checkpoints: bool = True
) -> Context:
    """Database and keys, opened; the keys must be those of this very database.

    Raises:
        keys.envelope.KeyFileError: for a missing, unreadable or foreign key file.
        idp.schema.SchemaOutdated: for a database that is empty or of another version.
    """
    kek = load_key_file(settings.keys.file)
    database = Database(settings.database.url, threads=settings.server.threads, checkpoints=checkpoints)
    check_schema(database)
    with database.transaction() as session:
        vault = open_vault(session, kek, now=int(clock()))
    return Context(settings=settings, database=database, vault=vault, clock=clock)


def create_app(context: Context, *, hot: bool = True) -> WebApp:
    """The app that residents and partners reach. `hot=False` sends every request through Flask's dispatch."""
    app = WebApp(
        "denizen", address=context.settings.server.issuer, cookie_prefix="denizen", context=context, hot=hot
    )
    app.jinja_loader = ChoiceLoader([FileSystemLoader(TEMPLATES)])
    init_pages(app)
    app.statics.register("brand.css", brand_css(context.settings.town.colour).encode(), at="/brand.css")
    provider = Provider(context, ClientRegistry(context.database))
    app.extensions["denizen.oidc"] = provider
    passwords = Passwords(context.settings.passwords, context.vault.subkey("password-pepper"))
    app.extensions["denizen.login"] = _login_ports(provider, passwords)
    consent_ports.init_app(app, _consent_ports(provider))
    for bp in (
        login_bp,
        passkeys_bp,
        signup_bp,
        home_bp,
        interaction.bp,
        release.bp,
        logout.bp,
        consent_views.bp,
    ):
        app.register_blueprint(bp)
    _protocol_endpoints(app, provider)
    logging.getLogger("authlib").setLevel(logging.INFO)  # at DEBUG it prints live tokens
    return app


def create_worker(context: Context) -> Worker:
    """The thread that keeps keys turning, mail leaving and the log growing."""
    return Worker(context.database, jobs(context), context.clock)


def _protocol_endpoints(app: WebApp, provider: Provider) -> None:
    get, post = ("GET", "HEAD"), ("POST",)
    serve: Callable[..., None] = app.protocol_endpoint
    serve("/authorize", ("GET", "POST"), partial(authorize.answer, provider), authorize.page)
    serve("/token", post, partial(token.answer, provider))
    serve("/userinfo", ("GET", "POST"), partial(userinfo.answer, provider))
    serve("/introspect", post, partial(introspect.answer, provider))
    serve("/revoke", post, partial(revoke.answer, provider))
    serve("/jwks", get, partial(discovery.jwks, provider))
    serve("/.well-known/openid-configuration", get, partial(discovery.configuration, provider))
    serve("/.well-known/oauth-authorization-server", get, partial(discovery.configuration, provider))
    serve("/health", get, partial(health.answer, provider.context))


def _login_ports(provider: Provider, passwords: Passwords) -> login_ports.Ports:
    ctx = provider.context

    def describe(handle: str) -> login_ports.Flow | None:
        waiting = interaction.waiting_request(handle)
        client = provider.clients.find(waiting.request.client_id) if waiting else None
        if waiting is None or client is None:
            return None
        return login_ports.Flow(
            client.name, waiting.login_hint, client.form_targets, f"/authorize/continue?flow={handle}"
        )

    def mark_signed_in(handle: str, now: int) -> None:
        waiting = interaction.waiting_request(handle)
        if waiting is not None:
            with ctx.database.transaction() as session:
                interactions.mark_signed_in(session, waiting.id_hash, now=now)

    return login_ports.Ports(passwords, describe, interaction.cancel, mark_signed_in)


def _consent_ports(provider: Provider) -> consent_ports.Ports:
    ctx = provider.context

    def resident() -> consent_ports.CurrentResident | Response:
        session = signed_in()
        if session is None:
            return to_sign_in()
        authentication = {
            "acr": session.acr,
            "amr": session.amr.split(),
            "auth_time": session.authenticated_at,
        }
        return consent_ports.CurrentResident(session.resident_id, authentication)

    def names(client_ids: Collection[str]) -> Mapping[str, consent_ports.ServiceName]:
        return {one: consent_ports.ServiceName(*provider.clients.name_of(one)) for one in client_ids}

    def log_key_for(connection: Any, resident_id: str) -> bytes:
        found = connection.get(Resident, resident_id)
        log_key = accounts.log_key(ctx.vault, found) if found else None
        if log_key is None:
            raise LookupError("the resident's data key is destroyed")
        return log_key

    def revoke_grants(connection: Any, *, resident_id: str, client_id: str, now: int) -> None:
        service.revoke_grants(connection, resident_id, client_id=client_id, now=now)

    return consent_ports.Ports(
        transaction=ctx.database.transaction,
        reading=ctx.database.reading,
        now=ctx.now,
        resident=resident,
        client_names=names,
        language=current_language,
        log_key_for=log_key_for,
        revoke_grants=revoke_grants,
        default_language=ctx.settings.town.languages[0],
    )
