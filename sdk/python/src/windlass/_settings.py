"""Whom to ask, and how."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from typing import TypedDict, Union

import httpx

DEFAULT_SERVER = "http://127.0.0.1:8000"

Verify = Union[bool, ssl.SSLContext]


class HttpOptions(TypedDict):
    """What both kinds of httpx client are made with."""

    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    verify: Verify
    trust_env: bool


@dataclass(frozen=True)
class Settings:
    """Whom to ask, and how."""

    server: str
    api_key: str | None = field(repr=False)
    timeout: float
    retries: int
    verify: Verify

    @classmethod
    def of(
        cls,
        server: str | None,
        api_key: str | None,
        timeout: float,
        retries: int,
        verify: Verify,
    ) -> Settings:
        """What is left out comes from the environment."""
        # A worker that the server has started itself finds a token instead of a key.
        found = os.environ.get("WINDLASS_API_KEY") or os.environ.get("WINDLASS_WORKER_TOKEN")
        server = server or os.environ.get("WINDLASS_SERVER") or DEFAULT_SERVER
        if not _is_address(server):
            raise ValueError(f"{server!r} is no address such as {DEFAULT_SERVER!r}")
        api_key = api_key if api_key is not None else found
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            # The key itself is not to be in a message.
            raise ValueError("the API key has characters that no key has")
        return cls(server.rstrip("/"), api_key or None, timeout, retries, verify)

    def http(self) -> HttpOptions:
        """For either kind of client."""
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return {
            "base_url": self.server,
            "headers": headers,
            "timeout": httpx.Timeout(self.timeout, connect=min(self.timeout, 5.0)),
            "verify": self.verify,
            # The server is asked directly, whatever proxy the machine has for the world.
            "trust_env": False,
        }


def _is_address(server: str) -> bool:
    try:
        url = httpx.URL(server)
    except (httpx.InvalidURL, ValueError):
        return False
    return url.scheme in ("http", "https") and bool(url.host)
