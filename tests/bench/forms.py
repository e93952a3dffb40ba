"""The HTML forms of a page, as a browser without JavaScript would submit them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

SUBMITS = frozenset({"submit", "image"})


@dataclass(slots=True)
class Form:
    """One form: where it goes, what it would send, and its submit buttons (attributes by name)."""

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[dict[str, str]] = field(default_factory=list)

    def button(self, button_id: str) -> dict[str, str] | None:
        """The attributes of the button with this id, or None."""
        return next((button for button in self.buttons if button.get("id") == button_id), None)

    def submitted_with(self, button: dict[str, str], typed: dict[str, str]) -> dict[str, str]:
        """What a press of `button` sends, once `typed` is filled into the fields that the form has."""
        sent = {name: typed.get(name, value) for name, value in self.fields.items()}
        if button.get("name"):
            sent[button["name"]] = button.get("value", "")
        return sent


class _FormReader(HTMLParser):
    """Collects forms; a control outside joins the form that its `form` attribute names."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._open: Form | None = None
        self._strays: list[tuple[str, str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(said.get("action", ""), said.get("method", "get").lower())
            self.forms.append(self._open)
            self._by_id[said.get("id", "")] = self._open
        elif tag in ("input", "button"):
            if "form" in said:
                self._strays.append((tag, said["form"], said))
            elif self._open:
                _join(self._open, tag, said)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None

    def close(self) -> None:
        super().close()
        for tag, owner, said in self._strays:
            if owner in self._by_id:
                _join(self._by_id[owner], tag, said)


def _join(form: Form, tag: str, said: dict[str, str]) -> None:
    kind = said.get("type", "submit" if tag == "button" else "text").lower()
    if kind in SUBMITS:
        form.buttons.append(said)
    elif said.get("name") and (kind not in ("checkbox", "radio", "button", "reset") or "checked" in said):
        form.fields[said["name"]] = said.get("value", "on" if "checked" in said else "")


def forms_of(page: bytes) -> list[Form]:
    """All forms of a page, in their order."""
    reader = _FormReader()
    reader.feed(page.decode("utf-8", "replace"))
    reader.close()
    return reader.forms
