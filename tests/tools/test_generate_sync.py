from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tools import generate_sync

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders, of which the second is made from the first."""
    source, target = tmp_path / "_async", tmp_path / "_sync"
    source.mkdir()
    target.mkdir()
    (source / "waits.py").write_text("BY_HAND = True\n")
    (source / "thing.py").write_text('"""A thing under asyncio."""\n')
    monkeypatch.setattr(generate_sync, "ROOT", tmp_path)
    monkeypatch.setattr(generate_sync, "SOURCE", source)
    monkeypatch.setattr(generate_sync, "TARGET", target)
    (tmp_path / "src").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n")
    return source, target


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr(sys, "argv", ["generate_sync.py", *args])
    return generate_sync.main()


def test_the_blocking_front_is_as_it_is_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--check") == 0


@pytest.mark.parametrize(
    ("asynchronous", "blocking"),
    [
        ("async def f(): await g()\n", "def f(): g()\n"),
        ("async with a as b: pass\n", "with a as b: pass\n"),
        ("x = [i async for i in aiter(s)]\n", "x = [i for i in iter(s)]\n"),
        ("class AsyncClient: Asynchronous = 1\n", "class Client: Asynchronous = 1\n"),
        ("from a._async.b import AsyncB\n", "from a._sync.b import B\n"),
        ("def f() -> AsyncGenerator[E, None]: ...\n", "def f() -> Generator[E, None, None]: ...\n"),
        ("def f() -> Connecting[AsyncB]: ...\n", "def f() -> B: ...\n"),
        ("return Connecting(lambda: f(a, g(b)))\n", "return f(a, g(b))\n"),
        ("return Connecting(\n    lambda: f(a, b)\n)\n", "return f(a, b)\n"),
        ("# one task of a loop\n", "# one thread of a loop\n"),
        ('x = f"AsyncClient({y!r}) in a task"\n', 'x = f"Client({y!r}) in a thread"\n'),
        ("raise StopAsyncIteration\n", "raise StopIteration\n"),
        ("task = 1\n", "task = 1\n"),
    ],
)
def test_each_form_has_its_blocking_one(asynchronous: str, blocking: str) -> None:
    assert generate_sync.translated(asynchronous) == blocking


def test_a_generated_module_says_where_it_comes_from(
    front: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch) == 0
    assert [path.name for path in front[1].iterdir()] == ["thing.py"]
    assert (front[1] / "thing.py").read_text() == (
        "# Generated from _async/thing.py by tools/generate_sync.py; do not edit.\n"
        '"""A thing in blocking code."""\n'
    )
    assert run(monkeypatch, "--check") == 0


def test_a_module_that_was_edited_is_named(
    front: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    (front[1] / "thing.py").write_text("x = 1\n")

    assert run(monkeypatch, "--check") == 1
    assert "thing.py is not up to date: run make generate" in capsys.readouterr().err


@pytest.mark.parametrize("left", ["old.py", "new/old.py"])
def test_a_module_whose_source_is_gone_is_named(
    front: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    run(monkeypatch)
    (front[1] / left).parent.mkdir(exist_ok=True)
    (front[1] / left).write_text("x = 1\n")

    assert run(monkeypatch, "--check") == 1
