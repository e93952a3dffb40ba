"""QR codes as SVG, to be put into a layout."""

from __future__ import annotations

import io


def qr_svg(text: str) -> str:
    """A QR code (ISO/IEC 18004) with error correction M and the quiet zone of four modules, as SVG."""
    import segno

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", border=4, xmldecl=False, svgns=True, scale=4
    )
    return out.getvalue().decode()
