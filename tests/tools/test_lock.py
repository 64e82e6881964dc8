"""The lock file names versions, and nothing of the machine that it was written on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "dev.lock").read_text().splitlines()
PINNED = dict(line.split("==") for line in LINES[1:])


def test_every_line_is_a_name_and_a_version() -> None:
    assert LINES[0].startswith("# ")
    assert [
        line for line in LINES[1:] if not re.fullmatch(r"[a-z0-9-]+==[0-9][\w.+!]*", line)
    ] == []
    assert LINES[1:] == sorted(LINES[1:], key=lambda line: line.split("==")[0])


def test_what_the_project_needs_is_locked_in_a_version_that_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    requirements = [Requirement(text) for text in texts]

    for requirement in requirements:
        if requirement.name != project["name"]:
            version = PINNED[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), requirement
