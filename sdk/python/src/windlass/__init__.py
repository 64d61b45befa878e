"""Client and worker for Windlass, the durable workflow engine.

`Client` and `AsyncClient` deploy and run workflows and follow their runs. `Worker` does steps and
units of work that a server hands out.
"""

from .aio import AsyncClient, AsyncRunHandle
from .client import Client, RunHandle
from .errors import (
    ApiError,
    Conflict,
    Denied,
    NotFound,
    Refused,
    RunFailed,
    Unavailable,
    Unreachable,
    WaitTimeout,
    WindlassError,
)
from .models import (
    Approval,
    Instance,
    LogLine,
    Run,
    Step,
    StreamEvent,
    UnitOfWork,
    Workflow,
)
from .task import Cancelled, Child, Fail, Submit, Task, Unit
from .worker import Worker

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "Approval",
    "AsyncClient",
    "AsyncRunHandle",
    "Cancelled",
    "Child",
    "Client",
    "Conflict",
    "Denied",
    "Fail",
    "Instance",
    "LogLine",
    "NotFound",
    "Refused",
    "Run",
    "RunFailed",
    "RunHandle",
    "Step",
    "StreamEvent",
    "Submit",
    "Task",
    "Unavailable",
    "Unit",
    "UnitOfWork",
    "Unreachable",
    "WaitTimeout",
    "WindlassError",
    "Worker",
    "Workflow",
]
