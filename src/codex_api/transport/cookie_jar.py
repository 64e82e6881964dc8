"""The process-wide jar of Cloudflare cookies; its rules are in ``_core/cookies.py``.

One jar for all clients of a process, as a browser has one: the edge knows the machine, not the
client object. WebSockets do not use it.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from codex_api.transport._core.cookies import CookieJar

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers

_jar = CookieJar()
_lock = threading.Lock()


def _renew_lock() -> None:
    # Another thread may have held it at the fork, and is not there to let go of it.
    global _lock  # noqa: PLW0603 - a lock cannot be reset in place
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def header_for(url: str) -> str | None:
    """Return the value of ``Cookie`` for a request to ``url``, or None when there is none."""
    with _lock:
        return _jar.header_for(url, time.time())


def store(url: str, headers: Headers) -> None:
    """Keep what the headers of an answer from ``url`` set, as far as it is Cloudflare's."""
    values = headers.get_all("set-cookie")
    if values:
        with _lock:
            _jar.store(url, values, time.time())


def clear() -> None:
    """Forget every cookie."""
    with _lock:
        _jar.clear()
