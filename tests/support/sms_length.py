"""How long a text message is on its way (3GPP TS 23.038 §6.2.1, TS 23.040 §9.2.3.24.1)."""

from __future__ import annotations

from dataclasses import dataclass

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class Length:
    """How a text travels: `gsm-7` or `ucs-2`, in how many segments."""

    encoding: str
    units: int
    segments: int


def sms_length(text: str) -> Length:
    """How long a text message is: 160 or 70 units in one segment, 153 or 67 in each of several."""
    if all(sign in _GSM or sign in _GSM_EXTENDED for sign in text):
        units = sum(2 if sign in _GSM_EXTENDED else 1 for sign in text)
        return Length("gsm-7", units, _segments(units, 160, 153))
    units = len(text.encode("utf-16-le")) // 2
    return Length("ucs-2", units, _segments(units, 70, 67))


def _segments(units: int, alone: int, each: int) -> int:
    return 1 if units <= alone else -(-units // each)
