"""Lengths of time as the server writes them: `30s`, `1m30s`, `500ms`."""

from __future__ import annotations

import re

UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "day": 86_400.0,
    "days": 86_400.0,
}
PART = re.compile(r"(\d+)([a-zµ]+)")


def seconds(text: str | None) -> float | None:
    """None if it cannot be read."""
    parts = PART.findall(text or "")
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    try:
        return sum(int(number) * UNITS[unit] for number, unit in parts)
    except KeyError:
        return None


def written(length: float) -> str:
    """As the server reads it."""
    return f"{max(1, round(length * 1000))}ms"
