from __future__ import annotations

from typing import Any

import pytest

from codex_api.transport import Headers
from codex_api.transport.errors import RequestBuildError
from codex_api.types.request import ItemIds, ResponsesOptions, TurnState


@pytest.mark.parametrize(
    ("item_ids", "store", "kept"),
    [
        ("auto", False, False),
        ("auto", True, True),
        ("keep", False, True),
        ("keep", True, True),
        ("drop", False, False),
        ("drop", True, False),
    ],
)
def test_ids_follow_store_unless_told_otherwise(
    item_ids: ItemIds,
    store: bool,  # noqa: FBT001  # a parameter of pytest
    kept: bool,  # noqa: FBT001  # as above
) -> None:
    assert ResponsesOptions(item_ids=item_ids).keeps_ids(store=store) is kept


@pytest.mark.parametrize(
    "changes",
    [{"compression": "gzip"}, {"item_ids": "yes"}, {"max_event_bytes": 0}],
    ids=str,
)
def test_an_option_that_there_is_not_is_refused_by_name(changes: dict[str, Any]) -> None:
    (name,) = changes

    with pytest.raises(RequestBuildError, match=f"ResponsesOptions.{name}"):
        ResponsesOptions(**changes)


@pytest.mark.parametrize("kind", [dict, Headers])
def test_options_show_no_credential(kind: Any) -> None:
    options = ResponsesOptions(
        session_id="s1",
        extra_headers=kind({"Authorization": "s3cret"}),
        turn_state=TurnState("s3cret"),
    )

    assert "s3cret" not in f"{options!r} {options}"
    assert "session_id='s1'" in repr(options)
    assert "authorization" in repr(options)
    assert "extra_headers=None" in repr(ResponsesOptions())
