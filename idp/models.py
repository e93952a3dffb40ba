"""Every table of `idp`, for migrations and for the rules of the house; nothing else imports this."""

from idp.accounts import models as accounts
from idp.clients import models as clients
from idp.jobs import models as jobs
from idp.login import models as login
from idp.messaging import models as messaging
from idp.oidc import models as oidc
from idp.signup import models as signup

__all__ = ["accounts", "clients", "jobs", "login", "messaging", "oidc", "signup"]
