from __future__ import annotations

import pytest

from codex_api.types.request import ItemIds, ResponsesOptions


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
