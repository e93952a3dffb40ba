"""The staff app: `create_app` is the only place that knows all its parts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, FileSystemLoader

from admin.audit.evidence_views import bp as evidence_bp
from admin.audit.views import bp as audit_bp
from admin.confirmations.views import bp as confirmations_bp
from admin.incidents.views import bp as incidents_bp
from admin.notices.views import bp as notices_bp
from admin.officer.views import bp as officer_bp
from admin.reports.views import bp as reports_bp
from admin.requests.views import bp as requests_bp
from admin.services import keep_registry
from admin.staff.current import check_every_view
from admin.staff.views import bp as staff_bp
from admin.staff.views import page_values
from idp import health
from idp.clients.registry import ClientRegistry
from idp.login.admission import Busy, admission_of
from idp.login.busy import BusyPages
from idp.login.passwords import Passwords
from idp.web.brand import brand_css
from idp.web.pages import WebApp, init_pages
from idp.web.paths import TEMPLATES as SHARED_TEMPLATES

if TYPE_CHECKING:
    from idp.web.context import Context

TEMPLATES = Path(__file__).resolve().parent / "templates"


def create_app(context: Context) -> WebApp:
    """The app that staff reach at their own address.

    Raises:
        RuntimeError: when a view names no roles.
    """
    settings = context.settings
    app = WebApp(
        "denizen-staff",
        address=settings.server.staff_url,
        cookie_prefix="denizen-staff",
        context=context,
    )
    # Ours come first: the error page of `idp` shows in the staff layout.
    loader = ChoiceLoader([FileSystemLoader(TEMPLATES), FileSystemLoader(SHARED_TEMPLATES)])
    app.jinja_loader = loader
    init_pages(app)
    app.statics.register("brand.css", brand_css(settings.town.colour).encode(), at="/brand.css")
    app.context_processor(page_values)
    admission = admission_of(settings)
    passwords = Passwords(settings.passwords, context.vault.subkey("password-pepper"), admission)
    app.register_error_handler(Busy, BusyPages(settings, admission).answer)
    app.extensions["denizen.staff"] = passwords
    keep_registry(app, ClientRegistry(context.database))
    for bp in (
        staff_bp,
        officer_bp,
        audit_bp,
        evidence_bp,
        reports_bp,
        incidents_bp,
        requests_bp,
        confirmations_bp,
        notices_bp,
    ):
        app.register_blueprint(bp)
    app.protocol_endpoint("/health", ("GET", "HEAD"), partial(health.answer, context))
    check_every_view(app)
    return app
