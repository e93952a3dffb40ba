"""How a request of a device ends: nobody is sent anywhere, the device learns it at its next poll."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from idp.oidc.device import service
from idp.web.answers import Answer, redirect_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from idp.oidc.provider import Provider
    from idp.oidc.request import AuthorizationRequest

log = logging.getLogger("denizen.oidc")

DONE = "/device/done"


def tell_device(provider: Provider, request: AuthorizationRequest, parameters: Mapping[str, str]) -> Answer:
    """Note what the resident decided, and lead them to the page that says so.

    `parameters` are what a client would be sent: a code, or an error. Should the power fail before the note is kept,
    the device waits in vain and the resident enters its code again.
    """
    ctx = provider.context
    is_noted = service.decide(ctx.database.fast, request, parameters.get("code"), now=ctx.now())
    log.info("device client=%s allowed=%s in_time=%s", request.client_id, "code" in parameters, is_noted)
    request_id, run = request.device
    return redirect_answer(f"{DONE}?{urlencode({'request': request_id, 'run': run})}#main")
