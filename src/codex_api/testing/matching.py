"""Which request a scripted answer is for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from codex_api.testing.recording import UndecodableBodyError
from codex_api.testing.wire import decoded_object, object_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.wire import JsonObject

#: A text that has to be in another, whatever its case; or what has to be found in it.
TextPattern: TypeAlias = str | re.Pattern[str]

_CALLS = frozenset({"function_call", "custom_tool_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


class Asked:
    """A request, as matching looks at it.

    Args:
        endpoint: As `EmbeddedServer.play` names it.
        request: The request, or the frame of a WebSocket.
        earlier: The conversation that it names and does not carry.
    """

    def __init__(
        self,
        endpoint: str,
        request: RecordedRequest,
        earlier: Callable[[JsonObject], Sequence[JsonObject]] | None = None,
    ) -> None:
        self.endpoint: str = endpoint
        self.request: RecordedRequest = request
        self._earlier = earlier

    @cached_property
    def body(self) -> JsonObject:
        """The body, where it is a JSON object; else an empty one."""
        try:
            return decoded_object(self.request.content)
        except UndecodableBodyError:
            return {}

    @cached_property
    def items(self) -> list[JsonObject]:
        """The whole conversation: what the request names, and what it carries."""
        given: object = self.body.get("input", self.body.get("messages"))
        earlier = [] if self._earlier is None else list(self._earlier(self.body))
        if isinstance(given, str):
            return [*earlier, {"type": "message", "role": "user", "content": given}]
        if isinstance(given, list):
            return [*earlier, *(object_of(each) for each in cast("list[object]", given))]
        return earlier

    @property
    def model(self) -> str:
        """The model, or an empty text."""
        return str(self.body.get("model") or "")

    @property
    def user_texts(self) -> list[str]:
        """The texts of the user's messages in their order."""
        return [
            _text(item.get("content"))
            for item in self.items
            if item.get("type", "message") == "message" and item.get("role") == "user"
        ]

    @property
    def text(self) -> str:
        """What the user said last, or an empty text."""
        return next(iter(self.user_texts[-1:]), "")

    @property
    def turn(self) -> int:
        """How often the user has spoken: 1 is the first question."""
        return len(self.user_texts)

    @property
    def tool_outputs(self) -> list[tuple[str, str]]:
        """Name of the tool and text of each output that the conversation ends with."""
        names = {
            item.get("call_id"): str(item.get("name"))
            for item in self.items
            if item.get("type") in _CALLS
        }
        found: list[tuple[str, str]] = []
        for item in reversed(self.items):
            if item.get("type") not in _OUTPUTS:
                break
            found.insert(0, (names.get(item.get("call_id"), ""), _text(item.get("output"))))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a request has to be; whatever is not given is not looked at.

    A conversation that ends with outputs of tools asks for an answer to these: it fits ``text`` and
    ``turn`` only together with ``tool`` or ``tool_output``.

    Attributes:
        endpoint: Path below the base, as `EmbeddedServer.play` names it; None is any.
        model: Its name; ``*`` stands for any characters.
        text: What the user said last.
        tool: Name of a tool whose output the conversation ends with.
        tool_output: The text of such an output.
        turn: How often the user has spoken by now; 1 is the first question.
        headers: Values of headers; ``*`` stands for any characters.
        where: Looks at the rest.
    """

    endpoint: str | None = None
    model: str | None = None
    text: TextPattern | None = None
    tool: str | None = None
    tool_output: TextPattern | None = None
    turn: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    where: Callable[[Asked], bool] | None = None

    def fits(self, asked: Asked) -> bool:
        """Tell whether ``asked`` is such a request."""
        return (
            self.endpoint in {None, asked.endpoint}
            and (self.model is None or fnmatchcase(asked.model, self.model))
            and (self.text is None or _found(self.text, asked.text))
            and (self.turn is None or asked.turn == self.turn)
            and self._fits_tools(asked)
            and all(_fits_header(asked, *pair) for pair in self.headers.items())
            and (self.where is None or self.where(asked))
        )

    def _fits_tools(self, asked: Asked) -> bool:
        if self.tool is None and self.tool_output is None:
            is_question = self.text is not None or self.turn is not None
            return not (is_question and asked.tool_outputs)
        return any(
            self.tool in {None, name}
            and (self.tool_output is None or _found(self.tool_output, output))
            for name, output in asked.tool_outputs
        )


def _fits_header(asked: Asked, name: str, pattern: str) -> bool:
    value = asked.request.header(name)
    return value is not None and fnmatchcase(value, pattern)


def _found(pattern: TextPattern, text: str) -> bool:
    if isinstance(pattern, str):
        return pattern.casefold() in text.casefold()
    return pattern.search(text) is not None


def _text(content: Any) -> str:  # noqa: ANN401 - of a request
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [object_of(each) for each in cast("list[object]", content)]
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
