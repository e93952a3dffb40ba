"""Our pages as the suite's scripted browser uses them: found by the ids of their elements, sent as plain forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """A form: where it goes and how, what it sends of itself, and its fields and buttons by id."""

    action: str
    method: str = "get"
    fields: list[tuple[str, str]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)

    def press(self, button: str, **typed: str) -> list[tuple[str, str]]:
        """What is sent when this button is pressed; `typed` goes into the fields of these ids."""
        by_name = {self.names[one]: value for one, value in typed.items()}
        sent = [(name, by_name.pop(name, value)) for name, value in self.fields]
        name, value = self.buttons[button]
        return [*sent, *([(name, value)] if name else [])]


def form_with(page: str, button: str) -> Form | None:
    """The form with a button of this id; None when there is none."""
    reader = _Reader()
    reader.feed(page)
    return next((form for form in reader.forms if button in form.buttons), None)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(found.get("action", ""), found.get("method", "get").lower())
            self.forms.append(self._open)
        if self._open is None or tag not in {"input", "button"}:
            return
        name, value, kind = found.get("name", ""), found.get("value", ""), found.get("type", "text")
        if tag == "button" or kind == "submit":
            self._open.buttons[found.get("id", "")] = (name, value)
        elif name and (kind not in {"checkbox", "radio"} or "checked" in found):
            self._open.fields.append((name, value or ("on" if kind == "checkbox" else "")))
            self._open.names[found.get("id", "")] = name

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
