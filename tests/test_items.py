from __future__ import annotations

import typing

import pytest

from codex_api import items


def test_the_exports_are_sorted_and_complete() -> None:
    public = {
        name
        for name in vars(items)
        if name.isidentifier() and not name.startswith("_") and name != "annotations"
    }

    assert items.__all__ == sorted(items.__all__)
    assert set(items.__all__) == public


def test_response_item_is_the_union_of_all_items() -> None:
    members = {member.__name__ for member in typing.get_args(items.ResponseItem)}

    assert len(members) == 17
    assert {"Message", "AdditionalTools", "UnknownItem"} <= members <= set(items.__all__)


@pytest.mark.parametrize(
    "member", typing.get_args(items.ResponseItem), ids=lambda cls: cls.__name__
)
def test_every_item_documents_itself(member: type) -> None:
    assert member.__doc__
    assert "." in member.__doc__
