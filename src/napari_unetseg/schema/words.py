"""Numbers in sentences for people."""

from __future__ import annotations

import math

FOREGROUND_IOU = "mean IoU, without background"
MEASURES = {"AP": "AP at IoU 0.5", "IoU": FOREGROUND_IOU}
"""What a training is scored by: average precision of objects, or IoU of classes."""


def counted(number: float, noun: str, plural: str = "") -> str:
    """Return the number with its noun: "1 image", "2 images", "1,200 objects", "0 boxes" (given as plural)."""
    digits = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{digits} {noun if number == 1 else plural or noun + 's'}"


def decimal(value: float) -> str:
    """Return a score or size as tables show it: "0.912", "0.00123", "12.3"."""
    if abs(value) < 1e-9:
        value = 0.0  # what rounding leaves
    if 0 < abs(value) < 0.01:
        return f"{value:.3g}"  # such as the share of pixels in which topology is wrong
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def significant(value: float, *, digits: int = 3) -> str:
    """Return a number that tells as much as those beside it: "0.0200", "1.90", "31.0", "1,230" (of 1234)."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, decimals)}f}"


def percent(share: float) -> str:
    """Return a share of few: "0.23 %", "1.4 %"."""
    return f"{100 * share:.2g} %"


def blended(seam_error: float | None) -> str:
    """Name tiles that are blended, with the share of pixels in which that was seen: "blended (0.23 %)"."""
    return "blended" if seam_error is None else f"blended ({percent(seam_error)})"


def duration(seconds: float) -> str:
    """Return `seconds` as people say them: 0.4 s, 5 s, 45 s, 3 min 20 s, 2 h 05 min."""
    seconds = max(0.0, seconds)
    whole = round(seconds)
    if whole < 10 and whole != seconds:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
