"""The page that checks receipts, written into a folder: from there it works without the internet and without us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from babel import Locale
from babel.core import UnknownLocaleError
from flask import Flask, render_template
from flask_babel import Babel
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined

from consent import receipts
from consent.receipts.words import claim_labels
from idp.settings.town import TownSettings
from idp.web.brand import brand_css
from idp.web.paths import LOCALE, STATIC, TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME: Final = "receipt-check"


def write_page(folder: Path, language: str) -> Sequence[Path]:
    """Write three files that belong together; their paths, the page first.

    Raises:
        ValueError: for a language that is none, or that we do not speak.
        OSError: when a file cannot be written.
    """
    page = _page(language)
    styles = [(STATIC / f"{name}.css").read_text(encoding="utf-8") for name in ("designsystemet", "denizen")]
    contents = {
        f"{_NAME}.html": page,
        f"{_NAME}.js": (STATIC / f"{_NAME}.js").read_text(encoding="utf-8"),
        f"{_NAME}.css": "\n".join(
            [styles[0], brand_css(TownSettings.model_fields["colour"].default), styles[1]]
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in contents]


def _page(language: str) -> str:
    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"{language} is no language") from None
    if language != "en" and not (LOCALE / str(locale)).is_dir():
        raise ValueError(f"there is no translation to {language}")
    app = Flask("receipts", static_folder=None, template_folder=None)
    folders = [TEMPLATES, Path(receipts.__path__[0]) / "templates"]
    app.jinja_loader = ChoiceLoader([FileSystemLoader(one) for one in folders])
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters["day_time"] = str
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(LOCALE)
    Babel(app, locale_selector=lambda: str(locale))
    with app.test_request_context():
        return render_template(
            "receipts/verify_alone.html",
            language=language,
            direction=locale.text_direction,
            claim_labels=claim_labels(),
        )
