"""Every target withstands its corpus, and what a small change makes of it."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
SEEDS = {name: sorted((CORPUS / name).iterdir()) for name in TARGETS}
_CHANGES = 60
_PIECES = (
    b"",
    b"\0",
    b"\xff",
    b"\n",
    b"\r",
    b'"',
    b"{",
    b"[",
    b"-1",
    b"null",
    b"\\ud800",
    b"9" * 25,
)


def changed(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Cut, repeat and replace pieces of ``data``."""
    for _ in range(_CHANGES):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((0, 1, 1, 2, 8)))
        piece = rng.choice((*_PIECES, data[start:end] * 2))
        yield data[:start] + piece + data[end:]


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_withstands_its_corpus(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("XDG_CONFIG_HOME", "CODEX_HOME"):  # one target sets them
        monkeypatch.setenv(variable, str(tmp_path))
    rng = random.Random(name)  # noqa: S311 - the same in each run

    for seed in SEEDS[name]:
        data = seed.read_bytes()
        TARGETS[name](data)
        for other in changed(data, rng):
            TARGETS[name](other)


def test_each_target_has_a_corpus_and_no_corpus_is_left_over() -> None:
    assert [name for name, seeds in SEEDS.items() if not seeds] == []
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


def test_make_fuzz_runs_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(r"^FUZZED := (.*)$", makefile, re.MULTILINE)

    assert found is not None
    assert found[1].split() == list(TARGETS)
