"""Client and worker for Windlass, the durable workflow engine.

`Client` and `AsyncClient` deploy and run workflows and follow their runs. `Worker` does steps and
units of work that a server hands out. `flow`, `task` and `LogHandler` let a server see what a script
does by itself; if the environment names one (`WINDLASS_URL`, `AUTO_WORKFLOW_SERVER_URL`), it also sees
flows of the auto-workflow library, with no change to them.
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
from .flows import LogHandler, flow, observe, task
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
from .sender import Sender, url_of
from .sink import bind_at_import, post_event_sink
from .tasks import Cancelled, Child, Fail, Submit, Task, Unit
from .worker import Worker

__version__ = "0.1.0"

if url_of():
    bind_at_import()

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
    "LogHandler",
    "LogLine",
    "NotFound",
    "Refused",
    "Run",
    "RunFailed",
    "RunHandle",
    "Sender",
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
    "flow",
    "observe",
    "post_event_sink",
    "task",
]
