"""The staff app: `create_app` is the only place that knows all its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.web.pages import WebApp, init_pages

if TYPE_CHECKING:
    from idp.web.context import Context


def create_app(context: Context) -> WebApp:
    """The app that staff reach at their own address."""
    app = WebApp(
        "denizen-staff",
        address=context.settings.server.staff_url,
        cookie_prefix="denizen-staff",
        context=context,
    )
    init_pages(app)
    return app
