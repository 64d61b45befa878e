"""The bus: one dictionary for each callback, whose exceptions are swallowed."""

from __future__ import annotations

import contextlib
from typing import Any, Callable

_callbacks: dict[str, list[Callable[[dict[str, Any]], object]]] = {}


def subscribe(event_name: str, callback: Callable[[dict[str, Any]], object]) -> None:
    _callbacks.setdefault(event_name, []).append(callback)


def emit(event_name: str, payload: dict[str, Any]) -> None:
    for callback in _callbacks.get(event_name, []):
        with contextlib.suppress(Exception):
            callback(payload)
