"""One request, apart from who sends it: the clients differ in how they wait, and no more."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, Callable, Generic, Mapping, TypeVar
from urllib.parse import quote

import httpx

from .errors import Unreachable, error_of, retry_after

T = TypeVar("T")

PAUSE_FIRST = 0.2
PAUSE_MAX = 5.0


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and how its answer is read."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    content: bytes | None = None
    content_type: str = "application/json"
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    may_repeat: bool = True
    """Whether it may be said again when nobody knows whether the server has done it."""
    timeout: float | None = None

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        headers = dict(self.headers)
        if self.content is not None:
            headers["Content-Type"] = self.content_type
        params = {name: value for name, value in self.params.items() if value is not None}
        timeout = (
            client.timeout if self.timeout is None else httpx.Timeout(self.timeout, connect=5.0)
        )
        return client.build_request(
            self.method,
            self.path,
            content=self.content,
            params=params or None,
            headers=headers,
            timeout=timeout,
        )

    def answer(self, response: httpx.Response) -> T:
        if not response.is_success:
            raise error_of(response)
        try:
            return self.read(response)
        except (KeyError, TypeError, ValueError) as error:
            message = f"{self.method} {self.path}: the answer makes no sense ({error!r})"
            raise Unreachable(message) from error

    def unreachable(self, error: httpx.RequestError, server: str) -> Unreachable:
        return Unreachable(f"cannot reach {server}: {error or type(error).__name__}")


class Patience:
    """How long to wait before a request is said again."""

    def __init__(self, call: Call[Any], retries: int) -> None:
        self._may_repeat = call.may_repeat
        self._left = retries
        self._pause = PAUSE_FIRST

    def after_error(self, error: httpx.RequestError) -> float | None:
        """None: it is not to be said again."""
        is_unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
        return self._next() if is_unsent or self._may_repeat else None

    def after_answer(self, response: httpx.Response) -> float | None:
        """None: it is the answer."""
        if response.status_code not in (429, 502, 503, 504):
            return None
        is_unsaid = response.status_code == 429
        if not is_unsaid and not self._may_repeat and not _is_undone(response):
            return None
        pause = self._next()
        asked = retry_after(response)
        # Who is told to come back in an hour had better hear of it.
        if pause is None or (asked or 0.0) > 30.0:
            return None
        return max(pause, asked or 0.0)

    def _next(self) -> float | None:
        if self._left <= 0:
            return None
        self._left -= 1
        pause, self._pause = self._pause, min(self._pause * 2, PAUSE_MAX)
        return pause * random.uniform(0.5, 1.0)


def _is_undone(response: httpx.Response) -> bool:
    return error_of(response).code in ("unavailable", "model-key-missing")


def segment(word: str) -> str:
    """A word as one part of a path."""
    if word in ("", ".", ".."):
        raise ValueError(f"{word!r} names nothing")
    return quote(word, safe="-._~")


def body(value: Any) -> bytes:
    """JSON as it is sent. NaN and the like are no JSON."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def header(name: str, value: str) -> dict[str, str]:
    """One header, refused here if it can be none."""
    if not (1 <= len(value) <= 256 and value.isascii() and value.isprintable()):
        raise ValueError(f"{name} takes 1 to 256 visible ASCII characters")
    return {name: value}
