"""The resident app: `create_app` is the only place that knows all its parts."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, FileSystemLoader

from consent import ports as consent_ports
from consent import views as consent_views
from consent.questions.views import bp as questions_bp
from consent.receipts import views as receipt_views
from idp import health, published_log, published_receipts, testing_hooks
from idp.accounts import reach
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.clients.registry import ClientRegistry
from idp.closing import service as closing
from idp.closing.views import bp as closing_bp
from idp.contacts.service import stop as stop_waiting
from idp.contacts.service import stop_everything
from idp.contacts.views import bp as contacts_bp
from idp.db import Database
from idp.home.devices import bp as devices_bp
from idp.home.pause import bp as pause_bp
from idp.home.views import bp as home_bp
from idp.home.ways_in import bp as ways_in_bp
from idp.jobs.worker import Worker
from idp.login import passkey_views, sessions
from idp.login import ports as login_ports
from idp.login.admission import Busy, admission_of
from idp.login.breached import known_passwords
from idp.login.busy import BusyPages
from idp.login.cards.views import bp as cards_bp
from idp.login.codes.link_views import bp as code_links_bp
from idp.login.codes.own_views import bp as code_choices_bp
from idp.login.codes.views import bp as codes_bp
from idp.login.current import signed_in, to_sign_in
from idp.login.factors import ways_of
from idp.login.otp.views import bp as otp_bp
from idp.login.password_views import bp as passwords_bp
from idp.login.passwords import Passwords
from idp.login.recovery_codes.views import bp as recovery_codes_bp
from idp.login.shared import bp as shared_bp
from idp.login.upstream.account_views import bp as connect_bp
from idp.login.upstream.service import open_upstreams
from idp.login.upstream.views import bp as upstream_bp
from idp.login.views import bp as login_bp
from idp.login.ways import Ways
from idp.messaging import ports as messaging_ports
from idp.oidc import cross_origin, interactions, lasting, narrowing, service
from idp.oidc.provider import Provider
from idp.oidc.resources import METADATA, USERINFO
from idp.oidc.views import (
    authorize,
    check_session,
    confirm,
    confirmations,
    consent_requests,
    device,
    device_authorization,
    discovery,
    interaction,
    introspect,
    logout,
    lost,
    par,
    register,
    release,
    revoke,
    token,
    userinfo,
)
from idp.recovery.ending import credentials_changed
from idp.recovery.helper_views import bp as helpers_bp
from idp.recovery.views import bp as recovery_bp
from idp.rights import service as rights
from idp.rights.asking_views import bp as rights_asking_bp
from idp.rights.views import bp as rights_bp
from idp.schema import check_schema
from idp.signals import events
from idp.signup.views import bp as signup_bp
from idp.upkeep import jobs
from idp.web.brand import brand_css
from idp.web.context import Context
from idp.web.cookies import digest
from idp.web.fetcher import Fetcher
from idp.web.languages import current_language
from idp.web.pages import WebApp, init_pages
from idp.web.paths import TEMPLATES
from keys.envelope import load_key_file, open_vault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.settings import Settings
    from idp.web.answers import Answer


#: The pages of residents, each part with its own.
_BLUEPRINTS = (
    login_bp,
    shared_bp,
    passkey_views.bp,
    cards_bp,
    passwords_bp,
    otp_bp,
    recovery_codes_bp,
    codes_bp,
    code_links_bp,
    code_choices_bp,
    ways_in_bp,
    upstream_bp,
    connect_bp,
    signup_bp,
    home_bp,
    contacts_bp,
    recovery_bp,
    helpers_bp,
    closing_bp,
    rights_bp,
    rights_asking_bp,
    devices_bp,
    pause_bp,
    interaction.bp,
    confirm.bp,
    device.bp,
    lost.bp,
    release.bp,
    logout.bp,
    consent_views.bp,
    questions_bp,
    receipt_views.bp,
)


def open_context(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    checkpoints: bool = True,
    answers_within: int | None = None,
) -> Context:
    """Database and keys, opened; the keys must be those of this very database. `answers_within` is `Database`'s.

    Raises:
        keys.envelope.KeyFileError: for a missing, unreadable or foreign key file.
        idp.schema.SchemaOutdated: for a database that is empty or of another version.
    """
    kek = load_key_file(settings.keys.file)
    database = Database(
        settings.database.url,
        threads=settings.threads,
        checkpoints=checkpoints,
        answers_within=answers_within,
    )
    check_schema(database)
    with database.transaction() as session:
        vault = open_vault(session, kek, now=int(clock()))
    messaging_ports.register(vault, reach.ports(settings, vault))
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
    known_passwords(context.settings.passwords.breached_file)  # a list that cannot be used is told now
    admission = admission_of(context.settings)
    passwords = Passwords(context.settings.passwords, context.vault.subkey("password-pepper"), admission)
    busy = BusyPages(context.settings, admission)
    app.register_error_handler(Busy, busy.answer)
    app.ask_first("POST", "/login", busy.at_once)
    app.ask_first("POST", "/login/passkey/options", partial(passkey_views.options_at_once, context))
    app.extensions["denizen.login"] = _login_ports(provider, passwords)
    fetcher = Fetcher(context.settings.testing)
    app.extensions["denizen.upstream"] = open_upstreams(context.settings, fetcher)
    consent_ports.init_app(app, _consent_ports(provider))
    for bp in _BLUEPRINTS:
        app.register_blueprint(bp)
    _protocol_endpoints(app, provider)
    published_receipts.register(app)
    logging.getLogger("authlib").setLevel(logging.INFO)  # at DEBUG it prints live tokens
    return app


def with_time(context: Context, answers_within: int | None, *, threads: int = 0) -> Context:
    """The same for those who ask more of the database than a resident's request, and have more time: `Database.beside`."""
    database = context.database.beside(answers_within=answers_within, threads=threads)
    return replace(context, database=database)


def create_worker(context: Context) -> Worker:
    """The thread that keeps keys turning, mail leaving and the log growing. Its work takes as long as it takes."""
    patient = with_time(context, None, threads=2)  # several lanes, and the threads of `Messenger`
    return Worker(patient.database, jobs(patient), context.clock)


def _protocol_endpoints(app: WebApp, provider: Provider) -> None:
    get, post = ("GET", "HEAD"), ("POST",)
    serve: Callable[..., None] = app.protocol_endpoint

    def serve_pages(path: str, methods: tuple[str, ...], handler: Callable[..., Answer]) -> None:
        serve(path, (*methods, "OPTIONS"), cross_origin.readable(provider, handler))

    serve("/authorize", ("GET", "POST"), partial(authorize.answer, provider), authorize.page)
    serve_pages(par.PATH, post, partial(par.answer, provider))
    serve(device_authorization.PATH, post, partial(device_authorization.answer, provider))
    serve_pages("/token", post, partial(token.answer, provider))
    serve_pages(USERINFO, ("GET", "POST"), partial(userinfo.answer, provider))
    serve(consent_requests.REQUESTS, post, partial(consent_requests.ask, provider))
    serve(consent_requests.DECISIONS, post, partial(consent_requests.decide, provider))
    serve(confirmations.PATH, post, partial(confirmations.answer, provider))
    serve("/introspect", post, partial(introspect.answer, provider))
    serve_pages("/revoke", post, partial(revoke.answer, provider))
    serve(register.PATH, post, partial(register.create, provider))
    serve(
        f"{register.PATH}/<client_id>",
        (*get, "PUT", "DELETE"),
        partial(register.manage, provider),
    )
    serve("/jwks", get, partial(discovery.jwks, provider))
    serve("/.well-known/openid-configuration", get, partial(discovery.configuration, provider))
    serve("/.well-known/oauth-authorization-server", get, partial(discovery.configuration, provider))
    serve(discovery.CONSENT, get, partial(discovery.consent_services, provider))
    for path in ("", USERINFO):
        serve(f"{METADATA}{path}", get, partial(discovery.protected_resource, provider, path=path))
    if provider.context.settings.sessions.browser_check:
        frame = check_session.page(app.statics.url_for_static(check_session.SCRIPT), secure=app.is_secure)
        serve(check_session.PATH, get, lambda _: frame)
    serve("/health", get, partial(health.answer, provider.context))
    published_log.register(app)
    if provider.context.settings.testing.hook_secret:
        serve(testing_hooks.ROTATE_KEYS, post, partial(testing_hooks.rotate, provider))
        serve(testing_hooks.RESOURCE, ("GET",), partial(testing_hooks.resource, provider))


def _login_ports(provider: Provider, passwords: Passwords) -> login_ports.Ports:
    ctx = provider.context

    def describe(handle: str) -> login_ports.Flow | None:
        waiting = interaction.waiting_request(handle)
        client = lost.client_of(waiting.request) if waiting else None
        if waiting is None or client is None:
            return None
        return login_ports.Flow(
            client.name,
            waiting.login_hint,
            client.form_targets,
            f"/authorize/continue?flow={handle}",
            is_met=interaction.is_met(provider, waiting, client),
            wanted_acr=(wanted := interaction.wanted_level(provider, waiting, client)),
            raises=bool(wanted),
            policy_uri=client.shown_link("policy_uri", current_language()),
            tos_uri=client.shown_link("tos_uri", current_language()),
        )

    def mark_signed_in(session: Session, handle: str, now: int) -> None:
        interactions.mark_signed_in(session, digest(handle), now=now)

    def move(session: Session, handle: str, browser: str, now: int) -> str | None:
        return interactions.move(session, ctx.vault, handle, browser=browser, now=now)

    def begun(session: Session, resident_id: str, standing: Mapping[str, Any], now: int) -> str:
        return closing.found_alive(session, ctx, resident_id, standing, now=now)

    def end_others(session: Session, resident_id: str, kept: str | None, now: int) -> None:
        credentials_changed(session, resident_id, keep_session=kept, now=now)

    def stop_changes(session: Session, resident_id: str, now: int) -> None:
        stop_everything(session, resident_id, now=now)

    def call_off(session: Session, resident_id: str, now: int) -> None:
        stop_waiting(session, ctx, resident_id, now=now)

    return login_ports.Ports(
        passwords=passwords,
        ways=Ways(ways_of(ctx.settings).all, closing.STANDING),
        describe=describe,
        leads_to=lost.leads_to,
        lost=lost.lost,
        cancel=interaction.cancel,
        signed_in=mark_signed_in,
        move=move,
        begun=begun,
        end_others=end_others,
        stop_changes=stop_changes,
        call_off=call_off,
    )


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

    def narrow_grants(connection: Any, *, resident_id: str, client_id: str, now: int) -> None:
        narrowing.narrow(connection, resident_id, client_id, now=now)

    def look_again(connection: Any, *, resident_id: str, client_id: str, now: int) -> None:
        lasting.look_again(connection, resident_id, client_id, now=now)

    def object_to(connection: Any, *, resident_id: str, client_id: str, grounds: str, now: int) -> str:
        rights.object_to(connection, ctx, resident_id, client_id, grounds, now=now)
        return "/privacy/rights"

    return consent_ports.Ports(
        transaction=ctx.database.transaction,
        reading=ctx.database.reading,
        now=ctx.now,
        resident=resident,
        client_names=names,
        language=current_language,
        log_key_for=log_key_for,
        revoke_grants=revoke_grants,
        narrow_grants=narrow_grants,
        tell=partial(events.tell, confirm_within=ctx.settings.consent.confirm_within),
        object_to=object_to,
        default_language=ctx.settings.town.languages[0],
        take_turn=_take_turn,
        look_again=look_again,
    )


def _take_turn(connection: Any) -> bool:
    session = signed_in()
    return session is not None and sessions.is_held(connection, session)
