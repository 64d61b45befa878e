"""Lets a server see flows of the auto-workflow library whose programs never import `windlass`.

`windlass.pth` is installed beside this file. If the environment names a server, it calls `wait` when
Python starts. The package itself takes long to import, and is imported when the library is.
"""

from __future__ import annotations

import sys

# As in `typing`, whose import would take longer than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Sequence

LIBRARY = "auto_workflow"


def wait() -> None:
    """Binds the library as soon as it is imported."""
    if _finder not in sys.meta_path:
        # It stays there: whoever takes it out may do so in the middle of somebody's import.
        sys.meta_path.insert(0, _finder)


class _Finder:
    """Looks on when the library is imported. Whatever goes wrong, it is imported as ever."""

    _is_looking = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != LIBRARY or self._is_looking:
            return None
        self._is_looking = True
        try:
            import importlib.util

            from windlass.sink import watched

            return watched(importlib.util.find_spec(fullname))
        except Exception:
            return None
        finally:
            self._is_looking = False


_finder = _Finder()
