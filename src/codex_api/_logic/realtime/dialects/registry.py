"""The protocol versions by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_api._logic.realtime.dialects.v1 import V1
from codex_api._logic.realtime.dialects.v2 import V2
from codex_api._logic.realtime.dialects.v3 import V3

if TYPE_CHECKING:
    from codex_api._logic.realtime.dialects.dialect import Dialect
    from codex_api.types.realtime import RealtimeVersion

_ALL: Final[tuple[Dialect, ...]] = (
    V1(),
    V2(),
    V3(),
)
DIALECTS: Final[dict[RealtimeVersion, Dialect]] = {dialect.version: dialect for dialect in _ALL}
