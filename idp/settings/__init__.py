"""Every setting of Denizen: one frozen tree, read once from denizen.toml and DENIZEN_* variables.

A variable wins over the file: `DENIZEN_SERVER__ISSUER` is `issuer` under `[server]`.
Each field's description is the sentence that docs/settings.md shows. One file per section or two.
Others import: everything named here.
"""

from idp.settings.accounts import AccountSettings
from idp.settings.letters import LetterSettings
from idp.settings.mail import MailSettings
from idp.settings.messages import MessageSettings
from idp.settings.section import is_loopback
from idp.settings.server import ServerSettings
from idp.settings.sign_in import PasswordSettings, SessionSettings
from idp.settings.sms import SmsSettings
from idp.settings.tokens import TokenSettings
from idp.settings.town import LANGUAGES
from idp.settings.tree import JWKS_CACHE_FOR, Settings, SettingsError, load

__all__ = [
    "JWKS_CACHE_FOR",
    "LANGUAGES",
    "AccountSettings",
    "LetterSettings",
    "MailSettings",
    "MessageSettings",
    "PasswordSettings",
    "ServerSettings",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "SmsSettings",
    "TokenSettings",
    "is_loopback",
    "load",
]
