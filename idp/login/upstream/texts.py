"""What pages say about providers."""

from __future__ import annotations

from flask_babel import gettext

from idp.login.texts import too_many


def problem_text(problem: str, provider: str) -> str:
    """What somebody reads who came back from a provider without being signed in; "" for no known problem."""
    texts: dict[str, str] = {
        "declined": gettext(
            "You did not sign in with %(provider)s. You can try again, or use another way.", provider=provider
        ),
        "silent": gettext(
            "%(provider)s does not answer at the moment. Try again later, or use another way.",
            provider=provider,
        ),
        "refused": gettext(
            "Signing in with %(provider)s did not work. Try again, or use another way.", provider=provider
        ),
        "unknown": gettext(
            "%(provider)s knows you, but that is not connected with an account here. Sign in another way; then you can connect it under “Your account”.",
            provider=provider,
        ),
        "other": gettext(
            "What you used at %(provider)s is connected with another account here, or this account with another identity there.",
            provider=provider,
        ),
        "taken": gettext(
            "What you used at %(provider)s is connected with an account here already, so no other account was made. Sign in with %(provider)s.",
            provider=provider,
        ),
        "throttled": too_many(),
        "connected": gettext("%(provider)s is connected with your account already.", provider=provider),
    }
    return texts.get(problem, "")
