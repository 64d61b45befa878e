"""What goes wrong, as exceptions: programs match on the class or `code`, people read the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from .models import Run


class WindlassError(Exception):
    """Anything that this package raises on its own."""


class Unreachable(WindlassError):
    """No answer came. Whether the server has the request, nobody knows."""


class ApiError(WindlassError):
    """The server has refused: an `application/problem+json` (RFC 9457)."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        errors: list[dict[str, Any]] | None = None,
        retry_after: float | None = None,
    ) -> None:
        several = errors if errors and len(errors) > 1 else []
        each = "".join(f"\n  {one.get('path', '')}: {one.get('message', '')}" for one in several)
        super().__init__(f"{code}: {detail or title}{each}")
        self.status = status
        """The HTTP status."""
        self.code = code
        """The stable word, such as `run-not-found`."""
        self.title = title
        """What it says in general."""
        self.detail = detail
        """What exactly is wrong."""
        self.errors = errors or []
        """What is wrong, one by one: `path`, `message` and perhaps `hint`, `line`, `column`."""
        self.retry_after = retry_after
        """After how many seconds to ask again, if the server says so."""


class Refused(ApiError):
    """The request is wrong (400, 413, 422 and the like): it would be refused again."""


class Denied(ApiError):
    """The key is missing, or may not do this (401, 403)."""


class NotFound(ApiError):
    """There is no such thing (404)."""


class Conflict(ApiError):
    """It stands in no state for this (409, 412)."""


class Unavailable(ApiError):
    """Not now (429, 5xx)."""


class RunFailed(WindlassError):
    """A run has failed or was cancelled where its output was asked for."""

    def __init__(self, run: Run) -> None:
        reason = (run.error or {}).get("message") or run.reason or "no reason is given"
        super().__init__(f"run {run.id} is {run.status}: {reason}")
        self.run = run
        """The run as it ended."""


class WaitTimeout(WindlassError, TimeoutError):
    """A run was not over in time. It goes on."""


def _class_of(status: int) -> type[ApiError]:
    if status in (401, 403):
        return Denied
    if status == 404:
        return NotFound
    if status in (409, 412):
        return Conflict
    return Unavailable if status == 429 or status >= 500 else Refused


def error_of(response: httpx.Response) -> ApiError:
    """The exception for an answer that is none of success."""
    try:
        body = response.json()
    except ValueError:
        body = None
    # What stands in front of a server may answer too, and knows nothing of problems.
    problem: dict[str, Any] = body if isinstance(body, dict) else {}
    status = response.status_code
    return _class_of(status)(
        status,
        str(problem.get("code", f"http-{status}")),
        str(problem.get("title", response.reason_phrase)),
        str(problem.get("detail", "")),
        problem.get("errors"),
        retry_after(response),
    )


def retry_after(response: httpx.Response) -> float | None:
    """What `Retry-After` says, in seconds. A date is left to the caller's own patience."""
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None
