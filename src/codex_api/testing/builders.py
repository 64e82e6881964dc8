"""Scripted answers in a line each, to be played by an embedded server.

They are scenarios: joined by ``+``, and kept for certain requests by ``when``::

    server.play(call("get_weather", city="Paris").when(text="weather"))
    server.play(think("It is sunny.") + say("Sunny.").when(tool_output="sun"))
    server.play(say("Once more?").when(turn=2))
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from codex_api.testing.scenarios import Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.testing.server.plan import Output

__all__ = ["call", "call_custom", "draw", "refuse", "say", "think"]


def say(text: str | Sequence[str]) -> Scenario:
    """Answer with a message.

    Args:
        text: The text, which is streamed word for word; or its deltas one by one.
    """
    from codex_api.testing.server.plan import Answer  # noqa: PLC0415 - extra

    return _only(Answer("".join(text), pieces=_pieces(text)))


def refuse(text: str) -> Scenario:
    """Answer with a refusal."""
    from codex_api.testing.server.plan import Answer  # noqa: PLC0415 - extra

    return _only(Answer(text, is_refusal=True))


def think(*summaries: str, encrypted_content: str | None = None) -> Scenario:
    """Put out reasoning, with a summary of so many parts."""
    from codex_api.testing.server.plan import Reasoning  # noqa: PLC0415 - extra

    return _only(Reasoning(summaries, encrypted_content))


def call(
    tool: str,
    arguments: str | Sequence[str] | None = None,
    /,
    *,
    namespace: str | None = None,
    **named: Any,  # noqa: ANN401 - JSON values
) -> Scenario:
    """Call a function.

    Args:
        tool: Its name.
        arguments: Them as a text, which need not be JSON; or its deltas one by one.
        namespace: That of the tool.
        named: The arguments by their names, where ``arguments`` is None.
    """
    from codex_api.testing.server.plan import Call  # noqa: PLC0415 - extra

    payload = json.dumps(named, ensure_ascii=False) if arguments is None else arguments
    return _only(
        Call(tool, "".join(payload), namespace=namespace, pieces=_pieces(payload)),
    )


def call_custom(tool: str, text: str | Sequence[str], *, namespace: str | None = None) -> Scenario:
    """Call a custom tool, whose input is a text or the deltas of one."""
    from codex_api.testing.server.plan import Call  # noqa: PLC0415 - extra

    made = Call(tool, "".join(text), is_custom=True, namespace=namespace, pieces=_pieces(text))
    return _only(made)


def draw(image: bytes, *, prompt: str | None = None) -> Scenario:
    """Put out an image.

    Args:
        image: The bytes of its file.
        prompt: What the model says that it drew.
    """
    from codex_api.testing.server.plan import ToolItem  # noqa: PLC0415 - extra

    ended = {"status": "completed", "result": base64.b64encode(image).decode()}
    kind = "image_generation_call"
    made = ToolItem(
        kind,
        "ig",
        begun={"status": "in_progress"},
        steps=tuple((f"{kind}.{step}", {}) for step in ("in_progress", "generating", "completed")),
        ended=ended if prompt is None else {**ended, "revised_prompt": prompt},
    )
    return _only(made)


def _only(output: Output) -> Scenario:
    return Scenario(outputs=(output,))


def _pieces(text: str | Sequence[str]) -> tuple[str, ...] | None:
    return None if isinstance(text, str) else tuple(text)
