"""The built-in engine does what every engine has to do; `test_httpx.py` has the adapter's turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api.transport.http import HttpTransport
from codex_api.transport.http_async import AsyncHttpTransport
from codex_api.transport.network import Network
from tests.transport.conformance import Conformance, close

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.front import Front


class TestBuiltIn(Conformance):
    @pytest.fixture
    async def transport(self, front: Front) -> AsyncIterator[Any]:
        made = front.pick(HttpTransport, AsyncHttpTransport)(Network(proxy=None))
        yield made
        await close(front, made)
