from __future__ import annotations

from typing import Any

import pytest

from codex_api.testing.server.items import item_type, parse_input
from codex_api.testing.server.problems import RequestProblem


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"role": "user", "content": "hi"}, "message"),
        ({"type": None, "role": "user", "content": "hi"}, "message"),
        ({"id": "msg_1"}, "item_reference"),
        ({"type": None, "id": "msg_1"}, "item_reference"),
    ],
)
def test_messages_and_references_need_not_name_their_type(item: dict[str, Any], kind: str) -> None:
    (taken,) = parse_input({"input": [item]}, ())

    assert item_type(taken) == kind


def test_what_shows_no_type_is_refused() -> None:
    with pytest.raises(RequestProblem, match=r"input\[0\].type"):
        parse_input({"input": [{"id": "x", "name": "y"}]}, ())
