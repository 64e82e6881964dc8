from __future__ import annotations

from typing import Any

import msgspec

from codex_api._logic.session.remembered_items import RememberedItems

OPAQUE: dict[str, Any] = {"type": "message", "role": "user", "content": "hi"}


def test_mappings_beyond_the_cut_may_change() -> None:
    first, second = dict(OPAQUE), dict(OPAQUE)
    history = RememberedItems(msgspec.json.encode)
    history.add([first])
    extent = history.extent
    history.add([second])

    second["content"] = "changed"
    assert not history.are_unchanged()

    history.cut(extent)
    assert history.are_unchanged()
    assert history.common([first, second]) == 1

    first["content"] = "changed"
    assert not history.are_unchanged()
