"""Every table of `idp`, for migrations and for the rules of the house; nothing else imports this."""

from idp.accounts import models as accounts
from idp.clients import models as clients
from idp.closing import models as closing
from idp.contacts import models as contacts
from idp.jobs import models as jobs
from idp.login import models as login
from idp.login.budgets import models as login_budgets
from idp.login.cards import models as login_cards
from idp.login.codes import models as login_codes
from idp.login.devices import models as login_devices
from idp.login.otp import models as login_otp
from idp.login.recovery_codes import models as login_recovery_codes
from idp.login.upstream import models as login_upstream
from idp.messaging import models as messaging
from idp.oidc import models as oidc
from idp.oidc.device import models as oidc_device
from idp.recovery import models as recovery
from idp.rights import models as rights
from idp.signals import models as signals
from idp.signup import models as signup

__all__ = [
    "accounts",
    "clients",
    "closing",
    "contacts",
    "jobs",
    "login",
    "login_budgets",
    "login_cards",
    "login_codes",
    "login_devices",
    "login_otp",
    "login_recovery_codes",
    "login_upstream",
    "messaging",
    "oidc",
    "oidc_device",
    "recovery",
    "rights",
    "signals",
    "signup",
]
