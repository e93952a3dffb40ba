"""What the pages of contact points say."""

from __future__ import annotations

from flask_babel import gettext, ngettext

from idp.contacts.rules import Refusal

_HOUR, _DAY = 3600, 86_400


def done_text(unverified_done: str) -> str:
    """What has just been done, in words; empty for anything else."""
    texts: dict[str, str] = {
        "added": gettext("We can reach you there from now on."),
        "main": gettext("Services that may know how to reach you are told this one from now on."),
        "sign-in": gettext("You sign in with it from now on."),
        "removed": gettext(
            "It is removed. We have told you there for the last time; the link in that message can bring it back."
        ),
        "waits": gettext(
            "We have asked the address or number you sign in with now. It is done when you agree there."
        ),
        "stopped": gettext("It is stopped. Nothing was changed."),
    }
    return texts.get(unverified_done, "")


def refusal_text(refusal: Refusal, kind: str = "email") -> str:
    """Why something was not done."""
    is_mail = kind == "email"
    not_valid = (
        gettext("Enter an e-mail address in the form name@example.org")
        if is_mail
        else gettext("Enter a phone number, beginning with + and the country if it is from abroad")
    )
    texts: dict[Refusal, str] = {
        Refusal.NOT_VALID: not_valid,
        Refusal.NO_COUNTRY: gettext("Enter a phone number that begins with + and the country, such as +33"),
        Refusal.NO_SUCH_NUMBER: gettext(
            "There is no phone number like this, or writing to it costs extra. Check every digit."
        ),
        Refusal.KNOWN: gettext("We reach you there already."),
        Refusal.TOO_MANY: gettext(
            "You have as many as we can keep. Remove one that you do not need any more."
        ),
        Refusal.THROTTLED: gettext("There were too many requests. Wait an hour, then try again."),
        Refusal.WRONG_CODE: gettext("This is not the code that we sent. Check the digits."),
        Refusal.GONE: gettext("This code works no more. Ask for a new one."),
        Refusal.TAKEN: gettext(
            "Somebody else signs in with it. Several people can be reached at one address or number, "
            "but only one of them can sign in with it."
        ),
        Refusal.WAITING: gettext(
            "Another change waits already. Stop that one first, or wait until it is done."
        ),
        Refusal.NAMELESS: gettext(
            "You sign in with it, and would have no name left to sign in with. Choose another address or number "
            "to sign in with first."
        ),
        Refusal.ONLY_WAY_IN: gettext(
            "Codes that we send there are your only way to sign in. Add another one first, such as a passkey or a "
            "password."
        ),
        Refusal.SHORT_PASSWORD: gettext(
            "Your password is too short to be all that you sign in with, and codes that we send there stand beside it. "
            "Choose a longer password first."
        ),
        Refusal.LAST: gettext(
            "It is the last place where we reach you. If you ever cannot sign in, nothing would be left to get you "
            "back in. Add another address or number first, or a passkey, or somebody you trust."
        ),
    }
    return texts[refusal]


def kept_name(seconds: int) -> str:
    """A time in words, in days where it is some."""
    if seconds >= 2 * _DAY:
        days: str = ngettext("%(num)s day", "%(num)s days", seconds // _DAY)
        return days
    hours: str = ngettext("%(num)s hour", "%(num)s hours", max(1, seconds // _HOUR))
    return hours
