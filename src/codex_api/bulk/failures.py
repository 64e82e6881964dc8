"""What goes wrong with a bulk run as a whole.

::

    CodexApiError
      BulkError
        BulkInputError          the requests are not what they should be; nothing was sent
        JournalError            the journal cannot be used, or no longer written
        BulkStoppedError        the run ended before its rows did; the rest is kept

What goes wrong with one row is no error of the run: it is that row's result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from codex_api.bulk.summary import BulkSummary


class BulkError(CodexApiError):
    """Something is wrong with a bulk run as a whole."""


class BulkInputError(BulkError):
    """The requests are not what they should be; nothing was sent for them."""


class JournalError(BulkError):
    """The journal belongs to another run or another input, is in use, or cannot be written."""


class BulkStoppedError(BulkError):
    """The run ended before its rows did. What is left can be resumed.

    Its cause, if it has one, is the error that stopped the run.

    Attributes:
        reason: ``credentials``, ``quota``, ``usage limit``, ``cost``, ``errors``, ``stalled`` or
            ``journal``.
        summary: What became of the rows until then.
    """

    def __init__(
        self, message: str = "", *, reason: str = "", summary: BulkSummary | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.summary = summary
