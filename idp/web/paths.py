"""Where the files that belong to the pages lie."""

from pathlib import Path

_IDP = Path(__file__).resolve().parent.parent
TEMPLATES = _IDP / "ui" / "templates"
STATIC = _IDP / "ui" / "static"
LOCALE = _IDP / "locale"
