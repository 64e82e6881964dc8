"""The bill of materials, and what the tools for releases find in the project."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tools.environments import lowest_versions
from tools.release import bill_of_materials

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bill_says_what_the_wheel_is_and_what_came_with_it(tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(b"wheel")
    installed = [
        {"name": "codex-api", "version": "0.1.0"},
        {"name": "msgspec", "version": "0.22.0"},
    ]

    bill = bill_of_materials(wheel, installed)

    itself = bill["metadata"]["component"]
    assert itself["hashes"][0]["content"] == hashlib.sha256(b"wheel").hexdigest()
    assert [each["purl"] for each in bill["components"]] == ["pkg:pypi/msgspec@0.22.0"]
    assert bill["dependencies"] == [
        {"ref": itself["bom-ref"], "dependsOn": ["pkg:pypi/msgspec@0.22.0"]}
    ]


def test_the_lowest_versions_are_those_of_the_bounds() -> None:
    assert sorted(lowest_versions()) == ["msgspec==0.22", "truststore==0.10", "websockets==13"]
