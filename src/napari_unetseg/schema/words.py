"""Numbers in sentences for people."""

from __future__ import annotations


def counted(number: float, noun: str, plural: str = "") -> str:
    """Return the number with its noun: "1 image", "2 images", "1,200 objects", "0 boxes" (given as plural)."""
    digits = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{digits} {noun if number == 1 else plural or noun + 's'}"
