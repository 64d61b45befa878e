"""Stands in for the auto-workflow library: what its flows look like, and what its bus tells of them.

Its events carry no time, those of tasks not even their run, and a run that fails ends without one.
"""

from .context import get_context
from .flow import Flow, flow, task

__all__ = ["Flow", "flow", "get_context", "task"]
