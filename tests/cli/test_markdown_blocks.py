from __future__ import annotations

import pytest
from rich.console import Console

from codex_api.cli.markdown_blocks import MarkdownBlocks, rendered

TEXT = """# Title

A paragraph
over two lines.

- one
- two

  still two

1. first
2. second

```python
def f():

    return "# no title"
```

| a | b |
|---|---|
| 1 | 2 |

> quote
lazy

<div>html</div>

[name]: http://example.com
***
Setext
======

Last [text][name].
"""
BLOCKS = [
    "# Title",
    "A paragraph\nover two lines.",
    "- one\n- two\n\n  still two",
    "1. first\n2. second",
    '```python\ndef f():\n\n    return "# no title"\n```',
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "> quote\nlazy",
    "<div>html</div>",
    "[name]: http://example.com",
    "***",
    "Setext\n======",
    "Last [text][name].",
]


def cut(pieces: list[str]) -> list[str]:
    blocks = MarkdownBlocks()
    found: list[str] = []
    for piece in pieces:
        blocks.feed(piece)
        found += blocks.take()
    return found + blocks.close()


def shown(source: str) -> str:
    console = Console(width=40, color_system=None)
    with console.capture() as captured:
        console.print(rendered(source))
    return captured.get()


def test_a_text_is_cut_between_its_blocks() -> None:
    assert cut([TEXT]) == BLOCKS


def test_blocks_are_the_same_however_the_text_arrives() -> None:
    assert cut(list(TEXT)) == BLOCKS
    for place in range(len(TEXT)):
        assert cut([TEXT[:place], TEXT[place:]]) == BLOCKS


@pytest.mark.parametrize("start", ["- one\n\n", "para", "```\ncode\n\ncode\n", "| a |\n|---|\n"])
def test_a_block_that_may_go_on_is_kept(start: str) -> None:
    blocks = MarkdownBlocks()
    blocks.feed(start)

    assert blocks.take() == []
    assert blocks.rest == start


def test_a_line_that_is_not_complete_decides_nothing() -> None:
    """`1` could become `1. one`, which goes on with the list."""
    blocks = MarkdownBlocks()
    blocks.feed("0. zero\n\n1")

    assert blocks.take() == []


def test_nothing_of_the_text_is_lost_by_rendering_it() -> None:
    assert "<div>html</div>" in shown("<div>html</div>")
    assert "http://example.com" in shown("[name]: http://example.com")
    assert "[text][name]" in shown("[text][name]")


def test_the_tail_of_long_code_is_still_code() -> None:
    blocks = MarkdownBlocks()
    blocks.feed("```python\n" + "".join(f"# line {n}\n" for n in range(100)))

    assert blocks.tail(3) == "```python\n# line 97\n# line 98\n# line 99\n"


def test_the_tail_of_a_short_block_is_all_of_it() -> None:
    blocks = MarkdownBlocks()
    blocks.feed("one\ntwo")

    assert blocks.tail(3) == "one\ntwo"
