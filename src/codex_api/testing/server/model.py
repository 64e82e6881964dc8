"""The built-in model: deterministic, and open about what it was sent.

Equal conversations give equal answers. The answer says in words what the request held, so that a
person sees at once whether a history, an image or a tool arrived. What it obeys:

- a compaction trigger at the end: the conversation is compacted;
- its own answer at the end: there is nothing to add;
- tool outputs at the end: they are told back;
- a compaction at the end: what had come of the last user message before it is told;
- "refuse" in the prompt: a refusal;
- the name of a tool, or "use the tool": a call, as far as ``tool_choice`` lets it, with the
  arguments that the prompt gives in a form of `arguments`;
- a JSON text format: an instance of the schema;
- "count to N": N numbers, for streams of a chosen length.

What it said itself is no order when it is handed back to it, as in a summary that a client made
of a conversation.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from codex_api.testing.server.calls import approved_outputs, tool_outputs
from codex_api.testing.server.compaction import memories, outcome, seal
from codex_api.testing.server.items import image_count, item_text, item_type
from codex_api.testing.server.mcp_tools import listings
from codex_api.testing.server.offers import offered_tools
from codex_api.testing.server.plan import Answer, Compacted, Output, Reasoning, ToolItem
from codex_api.testing.server.results import RESULT_TYPES, plural, told_back
from codex_api.testing.server.schema_instances import SchemaInstances, gist
from codex_api.testing.server.tokens import item_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.testing.server.validation import ResponseRequest
    from codex_api.testing.wire import JsonObject

_WANTS_REFUSAL = re.compile(r"\brefuse\b", re.IGNORECASE)
_WANTS_COUNT = re.compile(r"\bcount (?:up )?to (\d{1,6})\b", re.IGNORECASE)
_OWN_WORDS = 'You said: "'
_EARLIER = re.compile(r'Earlier [^"]+ returned "[^"]*"(?:; [^"]+ returned "[^"]*")*\.')
MAX_COUNT = 200_000


def answer(request: ResponseRequest, files: Sequence[tuple[str, str, bytes]] = ()) -> list[Output]:
    """Decide what to put out for ``request``, whose input is the whole conversation.

    ``files`` are id, name and content of what the server keeps.
    """
    if request.input and item_type(request.input[-1]) == "compaction_trigger":
        return [Compacted(seal(request.input))]
    if _ends_with_an_answer(request.input):
        return []
    return [
        *_compaction(request),
        *_reasoning(request),
        *_listings(request),
        *_outcome(request, files),
    ]


def _ends_with_an_answer(items: list[JsonObject]) -> bool:
    """Recognise a client that has the answer and lost only the end of the stream."""
    last = items[-1] if items else {}
    return item_type(last) == "message" and last.get("role") == "assistant"


def _compaction(request: ResponseRequest) -> list[Compacted]:
    """Compact what came so far, where the request wants that from a number of tokens on."""
    managed: list[JsonObject] = request.body.get("context_management") or []
    limits = [each.get("compact_threshold") for each in managed if each["type"] == "compaction"]
    spent = sum(item_tokens(item) for item in request.input)
    is_due = any(limit is not None and spent >= limit for limit in limits)
    return [Compacted(seal(request.input))] if is_due else []


def _listings(request: ResponseRequest) -> list[ToolItem]:
    is_off = request.body.get("tool_choice") == "none"
    return [] if is_off else listings(request.tools, request.input)


def _outcome(request: ResponseRequest, files: Sequence[tuple[str, str, bytes]]) -> list[Output]:
    def formatted(text: str) -> str:
        return _formatted(request, text)

    if approved := approved_outputs(request.input, formatted):
        return approved
    came_of_it = outcome(request.input)
    if came_of_it is not None:
        return [Answer(formatted(came_of_it))]
    prompt = last_user_text(request.input)
    orders = prompt.partition(_OWN_WORDS)[0]
    if _WANTS_REFUSAL.search(orders):
        return [Answer(f'I was asked to refuse "{gist(prompt)}", so I do.', is_refusal=True)]
    wanted = tool_outputs(request, orders, files, formatted)
    return wanted or [Answer(formatted(_words(request, prompt)))]


def _reasoning(request: ResponseRequest) -> list[Output]:
    wanted = request.section("reasoning")
    if not wanted or wanted.get("effort") == "none":
        return []
    summaries: tuple[str, ...] = ()
    if wanted.get("summary") not in {None, "none"}:
        prompt = gist(last_user_text(request.input), 8)
        summaries = (
            f'**Reading the request**\n\nThe user says "{prompt}".',
            f"**Choosing an answer**\n\nThere are {len(request.input)} items to go by.",
        )
        if wanted["summary"] == "concise":
            summaries = summaries[:1]
    sealed = "reasoning.encrypted_content" in (request.body.get("include") or ())
    return [Reasoning(summaries, seal(request.input[-1:]) if sealed else None)]


def _words(request: ResponseRequest, prompt: str) -> str:
    if count := _WANTS_COUNT.search(prompt):
        return " ".join(str(number + 1) for number in range(min(int(count[1]), MAX_COUNT)))
    told = [f'You said: "{gist(prompt, 40)}".' if prompt else "You said nothing."]
    verbosity = request.section("text").get("verbosity", "medium")
    if verbosity != "low":
        told += _details(request)
    if verbosity == "high":
        told.append(f"The model asked for is {request.model}.")
    return " ".join(told)


def _details(request: ResponseRequest) -> list[str]:
    told = [f"I read {plural(len(request.input), 'item')}"]
    if images := image_count(request.input):
        told[0] += f" and {plural(images, 'image')}"
    told[0] += "."
    earlier = [gist(text) for text in user_texts(request.input)[:-1]]
    if earlier:
        told.append("Before that you said: " + "; ".join(f'"{text}"' for text in earlier) + ".")
    for memory in memories(request.input):
        texts = "; ".join(f'"{text}"' for text in memory.user_texts)
        told.append(f"I remember {plural(memory.items, 'compacted item')}: {texts}.")
    if results := [item for item in request.input if item_type(item) in RESULT_TYPES]:
        told.append(f"Earlier {told_back(results, request.input)}")
    elif handed := _EARLIER.findall(last_user_text(request.input).partition(_OWN_WORDS)[2]):
        told.append(handed[-1])
    if names := [name for name, _, _ in offered_tools(request)]:
        told.append(f"Tools offered: {', '.join(names)}.")
    if instructions := request.text("instructions"):
        told.append(f'Instructions: "{gist(instructions)}".')
    return told


def _formatted(request: ResponseRequest, text: str) -> str:
    form: JsonObject = request.section("text").get("format") or {}
    match form.get("type"):
        case "json_schema":
            prompt = last_user_text(request.input)
            made = SchemaInstances(form["schema"], prompt).make()
            return json.dumps(made, ensure_ascii=False)
        case "json_object":
            return json.dumps({"answer": text}, ensure_ascii=False)
        case _:
            return text


def user_texts(items: list[JsonObject]) -> list[str]:
    """Return the texts of the user messages in order."""
    return [
        item_text(item)
        for item in items
        if item_type(item) == "message" and item.get("role") == "user"
    ]


def last_user_text(items: list[JsonObject]) -> str:
    """Return the text of the last user message, or an empty string."""
    return next(iter(user_texts(items)[-1:]), "")
