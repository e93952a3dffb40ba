"""What a browser with a script does about passkeys, over HTTP; the device is a software one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.bench.forms import forms_of
from tests.bench.workloads import FlowError
from tests.support.authenticator import Authenticator, lying

if TYPE_CHECKING:
    from tests.bench.agent import Response
    from tests.bench.target import Target, Visitor

SIGN_IN, ADD = "/login/passkey", "/account/passkeys"


def _form(page: Response, action: str) -> dict[str, str]:
    for form in forms_of(page.body):
        if form.action == action:
            return form.fields
    raise FlowError(f"no form posts to {action}: HTTP {page.status} {page.location} {page.body[:300]!r}")


async def enrol(target: Target, visitor: Visitor) -> None:
    """Sign in by password and add a passkey."""
    agent = visitor.agent
    page = await agent.get(urljoin(target.issuer, "/login"))
    typed = {"username": visitor.resident.username, "password": visitor.resident.password}
    await agent.post(urljoin(target.issuer, "/login"), {**_form(page, "/login"), **typed})
    fields = _form(await agent.get(urljoin(target.issuer, f"{ADD}/new")), ADD)
    options = json.loads((await agent.post(urljoin(target.issuer, f"{ADD}/options"), fields)).body)
    visitor.device = Authenticator()
    made = visitor.device.create(options, lying(origin=target.issuer))
    kept = {**fields, "credential": json.dumps(made), "name": "bench"}
    answer = await agent.post(urljoin(target.issuer, ADD), kept)
    if answer.status != 303:
        raise FlowError(f"no passkey was added: HTTP {answer.status}")


async def sign_in_by_passkey(target: Target, visitor: Visitor) -> None:
    """The page, the options, the answer; a session must come of it."""
    agent = visitor.agent
    fields = _form(await agent.get(urljoin(target.issuer, "/login")), SIGN_IN)
    options = json.loads((await agent.post(urljoin(target.issuer, f"{SIGN_IN}/options"), fields)).body)
    signed = visitor.device.get(options, lying(origin=target.issuer))
    answer = await agent.post(urljoin(target.issuer, SIGN_IN), {**fields, "credential": json.dumps(signed)})
    if answer.status != 303 or not any("denizen-session" in line for line in answer.set_cookies):
        raise FlowError(f"passkey sign-in: HTTP {answer.status} {answer.body[:300]!r}")
