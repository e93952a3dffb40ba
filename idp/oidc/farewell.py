"""The page after signing out (OpenID Connect Front-Channel Logout 1.0): partners' pages in frames, then on.

Each partner that was answered in the session and has a page for it is told in a frame that nobody sees. The frames are
loaded from partners' own addresses, so the page's policy names these origins, and a frame can do nothing with our page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from flask import g, make_response, render_template

from idp.login import endings
from idp.oidc import families
from idp.oidc.subjects import sid_for

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn
    from idp.oidc.provider import Provider


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where the resident goes on from here: a registered address, and whose it is."""

    url: str
    client_name: str


def frames_of(provider: Provider, connection: Any, session: SignedIn) -> list[str]:
    """The addresses to load when this session ends, with `iss` and `sid` (Front-Channel Logout 1.0 §3)."""
    sids = endings.line_of(connection, [session.sid])
    frames = []
    for one in families.clients_of_sessions(connection, [session.resident_id], sids):
        client = provider.clients.find(one.client_id)
        uri = client.details.frontchannel_logout_uri if client else ""
        if uri:
            sid = sid_for(provider.context.vault, one.client_id, one.sid)
            values = urlencode({"iss": provider.issuer, "sid": sid})
            frames.append(f"{uri}{'&' if '?' in uri else '?'}{values}")
    return frames


def farewell(frames: list[str], back: WayBack | None) -> Response:
    """The page: it goes on by itself as soon as the frames are loaded, and by a button at once."""
    g.frame_sources = " ".join(sorted({_source(one) for one in frames}))
    return make_response(
        render_template(
            "ui/logged_out.html",
            client_name=back.client_name if back else None,
            return_url=back.url if back else None,
            frames=frames,
        )
    )


def _source(url: str) -> str:
    """An address as a page policy names it; IPv6 hosts cannot be named there."""
    parts = urlsplit(url)
    return f"{parts.scheme}:" if parts.netloc.startswith("[") else f"{parts.scheme}://{parts.netloc}"
