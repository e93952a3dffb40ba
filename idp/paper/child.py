"""`python -m idp.paper.child` reads one order (JSON) and writes one line of JSON, then the PDF. It has no network."""

from __future__ import annotations

import resource
import sys
from typing import Any

import orjson
import typst

from idp.paper.printer import TEMPLATES

_GIB = 1 << 30
_CPU_SECONDS = 240


def main() -> None:
    """Do one order."""
    resource.setrlimit(resource.RLIMIT_AS, (4 * _GIB, 4 * _GIB))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    order = orjson.loads(sys.stdin.buffer.read())
    try:
        head, pdf = _made(order)
    except typst.TypstError as error:
        # The diagnostic may quote the letter it failed at, so only its first words are told.
        head, pdf = {"problem": _said(error.message)}, b""
    sys.stdout.buffer.write(orjson.dumps(head) + b"\n" + pdf)


def _made(order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    compiler = typst.Compiler(
        TEMPLATES / f"{order['template']}.typ",
        root=TEMPLATES,
        font_paths=[order["fonts"]] if order["fonts"] else [],
        sys_inputs={"data": orjson.dumps(order["data"]).decode()},
    )
    pdf = compiler.compile(format="pdf", pdf_standards=["ua-1"], timestamp=order["now"])
    assert isinstance(pdf, bytes)
    return {"marks": orjson.loads(compiler.query("<mark>", field="value"))}, pdf


def _said(message: str) -> str:
    if "could not be displayed with font" in message:
        return "no font on this machine has a sign that is needed; install one, or set [letters] font_folder"
    return "the layout could not be filled in: " + message.partition("`")[0].partition('"')[0][:80]


if __name__ == "__main__":
    main()
