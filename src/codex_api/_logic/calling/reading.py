"""The states of a response that is being read, and what callers are told in the wrong one."""

from __future__ import annotations

from enum import Enum, auto


class StreamState(Enum):
    """Where a stream stands. Whether somebody is reading it right now is not part of that."""

    NEW = auto()
    OPENING = auto()
    OPEN = auto()
    #: Read to its end.
    OVER = auto()
    #: Ended by an error that its reader got.
    FAILED = auto()
    #: Closed before it was read to its end.
    CLOSED = auto()


NOT_OPEN = "the response stream is not open: use it in a with block"
OPENED_ONCE = "a response stream is opened once; call stream() again for another response"
OVER = "the response was read to its end already; collect() keeps its items and text"
FAILED = "the response ended with an error already; call stream() again for another response"
FOREIGN = "the response stream belongs to another event loop: read it there, or open one here"
IN_USE = "the response stream is being read elsewhere; one reader at a time"
CLOSED = "the response stream is closed; call stream() again for another response"
