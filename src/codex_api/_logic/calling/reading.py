"""The states of a response that is being read, and what callers are told in the wrong one."""

from __future__ import annotations

from typing import Literal, TypeAlias

#: Where a stream stands, whether or not somebody is reading it right now. ``over`` was read to its
#: end, ``failed`` was ended by an error that its reader got, ``closed`` was closed before either.
#: Words and no ``Enum``: Python 3.11 takes as long to look a member up as to read a short event.
StreamState: TypeAlias = Literal["new", "opening", "open", "over", "failed", "closed"]

NOT_OPEN = "the response stream is not open: use it in a with block"
OPENED_ONCE = "a response stream is opened once; call stream() again for another response"
OVER = "the response was read to its end already; collect() keeps its items and text"
FAILED = "the response ended with an error already; call stream() again for another response"
FOREIGN = "the response stream belongs to another event loop: read it there, or open one here"
IN_USE = "the response stream is being read elsewhere; one reader at a time"
CLOSED = "the response stream is closed; call stream() again for another response"
