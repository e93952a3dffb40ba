"""The pages of the site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.urls import include, path

if TYPE_CHECKING:
    from django.http import HttpRequest


def home(request: HttpRequest) -> JsonResponse:
    """Who is signed in here."""
    user: Any = request.user
    return JsonResponse({"signed_in": user.is_authenticated, "email": getattr(user, "email", "")})


def expire(request: HttpRequest) -> HttpResponse:
    """Let the ID token be over, so that the middleware has it renewed at the next page."""
    request.session["oidc_id_token_expiration"] = 0
    return HttpResponse("It is over")


def logout_url(request: HttpRequest) -> str:
    """Where to sign out of the town, too (RP-Initiated Logout 1.0 §2)."""
    told = {
        "id_token_hint": request.session["oidc_id_token"],
        "post_logout_redirect_uri": request.build_absolute_uri("/"),
    }
    return f"{settings.OIDC_OP_LOGOUT_ENDPOINT}?{urlencode(told)}"


urlpatterns = [
    path("", home),
    path("expire", expire, name="expire"),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
