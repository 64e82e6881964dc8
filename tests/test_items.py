from __future__ import annotations

import subprocess
import sys
import typing

import pytest

from codex_api import items


def test_the_exports_are_sorted_and_complete() -> None:
    for name in items.__all__:
        getattr(items, name)  # some are imported on first use
    public = {name for name in vars(items) if name.isidentifier() and not name.startswith("_")}

    assert items.__all__ == sorted(items.__all__)
    assert set(items.__all__) == public - {
        "Lookup",
        "TYPE_CHECKING",
        "annotations",
        "lazy_attributes",
    }


def test_response_item_is_the_union_of_all_items() -> None:
    members = {member.__name__ for member in typing.get_args(items.ResponseItem)}

    assert len(members) == 34
    assert {"Message", "AdditionalTools", "McpCall", "UnknownItem"} <= members <= set(items.__all__)


@pytest.mark.parametrize(
    "member", typing.get_args(items.ResponseItem), ids=lambda cls: cls.__name__
)
def test_every_item_documents_itself(member: type) -> None:
    assert member.__doc__
    assert "." in member.__doc__


def test_hosted_items_are_imported_only_when_there_is_one() -> None:
    code = (
        "import sys; from codex_api import AsyncClient, Client, events, items;"
        'items.decode_item(b\'{"type":"message","role":"user","content":[]}\');'
        "assert not [name for name in sys.modules if 'hosted' in name];"
        "items.McpCall; assert 'codex_api.types.hosted_item' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - this interpreter
