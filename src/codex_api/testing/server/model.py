"""The built-in model: deterministic, and open about what it was sent.

Equal conversations give equal answers. The answer says in words what the request held, so that a
person sees at once whether a history, an image or a tool arrived. What it obeys:

- a compaction trigger at the end: the conversation is compacted;
- its own answer at the end: there is nothing to add;
- tool outputs at the end: they are told back;
- "refuse" in the prompt: a refusal;
- the name of a tool, or "use the tool": a call, as far as ``tool_choice`` lets it;
- a JSON text format: an instance of the schema;
- "count to N": N numbers, for streams of a chosen length.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from codex_api.testing.server.compaction import memories, seal
from codex_api.testing.server.items import image_count, item_text, item_type
from codex_api.testing.server.plan import Answer, Call, Compacted, Output, Reasoning
from codex_api.testing.server.schema_instances import SchemaInstances, gist

if TYPE_CHECKING:
    from codex_api.testing.server.validation import ResponseRequest
    from codex_api.testing.wire import JsonObject

_OUTPUT_TYPES = frozenset({"function_call_output", "custom_tool_call_output"})
_CALL_TYPES = frozenset({"function_call", "custom_tool_call"})
_WANTS_TOOL = re.compile(r"\b(call|use|run|invoke)\b.{0,40}\btools?\b", re.IGNORECASE | re.DOTALL)
_WANTS_REFUSAL = re.compile(r"\brefuse\b", re.IGNORECASE)
_WANTS_COUNT = re.compile(r"\bcount (?:up )?to (\d{1,6})\b", re.IGNORECASE)
MAX_COUNT = 200_000
PATCH = "*** Begin Patch\n*** Add File: hello.txt\n+hello\n*** End Patch\n"


def answer(request: ResponseRequest) -> list[Output]:
    """Decide what to put out for ``request``, whose input is the whole conversation."""
    if request.input and item_type(request.input[-1]) == "compaction_trigger":
        return [Compacted(seal(request.input))]
    if _ends_with_an_answer(request.input):
        return []
    return [*_reasoning(request), *_outcome(request)]


def _ends_with_an_answer(items: list[JsonObject]) -> bool:
    """Recognise a client that has the answer and lost only the end of the stream."""
    last = items[-1] if items else {}
    return item_type(last) == "message" and last.get("role") == "assistant"


def _outcome(request: ResponseRequest) -> list[Output]:
    results = _trailing_results(request.input)
    if results:
        return [Answer(_formatted(request, _told_back(results, request.input)))]
    prompt = last_user_text(request.input)
    if _WANTS_REFUSAL.search(prompt):
        return [Answer(f'I was asked to refuse "{gist(prompt)}", so I do.', is_refusal=True)]
    calls = _calls(request, prompt)
    return [*calls] if calls else [Answer(_formatted(request, _words(request, prompt)))]


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


def _trailing_results(items: list[JsonObject]) -> list[JsonObject]:
    results: list[JsonObject] = []
    for item in reversed(items):
        if item_type(item) not in _OUTPUT_TYPES:
            break
        results.insert(0, item)
    return results


def _told_back(results: list[JsonObject], items: list[JsonObject]) -> str:
    names = {item["call_id"]: item["name"] for item in items if item_type(item) in _CALL_TYPES}
    told = [
        f'{names.get(item["call_id"], "The tool")} returned "{gist(item_text(item), 24)}"'
        for item in results
    ]
    images = image_count(results)
    seen = f" with {_plural(images, 'image')}" if images else ""
    return "; ".join(told) + seen + "."


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
    told = [f"I read {_plural(len(request.input), 'item')}"]
    if images := image_count(request.input):
        told[0] += f" and {_plural(images, 'image')}"
    told[0] += "."
    earlier = [gist(text) for text in user_texts(request.input)[:-1]]
    if earlier:
        told.append("Before that you said: " + "; ".join(f'"{text}"' for text in earlier) + ".")
    for memory in memories(request.input):
        texts = "; ".join(f'"{text}"' for text in memory.user_texts)
        told.append(f"I remember {_plural(memory.items, 'compacted item')}: {texts}.")
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


def offered_tools(request: ResponseRequest) -> list[tuple[str, JsonObject, str | None]]:
    """Return name, definition and namespace of each tool that can be called."""
    groups: list[tuple[list[JsonObject], str | None]] = [(request.tools, None)]
    groups += [
        (item["tools"], None) for item in request.input if item_type(item) == "additional_tools"
    ]
    found: list[tuple[str, JsonObject, str | None]] = []
    while groups:
        tools, namespace = groups.pop(0)
        for tool in tools:
            if tool.get("type") == "namespace":
                groups.append((tool.get("tools") or [], tool["name"]))
            elif tool.get("type") in {"function", "custom"}:
                found.append((tool["name"], tool, namespace))
    return found


def _calls(request: ResponseRequest, prompt: str) -> list[Call]:
    tools = offered_tools(request)
    choice = request.body.get("tool_choice") or "auto"
    if not tools or choice == "none":
        return []
    if isinstance(choice, dict):
        wanted = [tool for tool in tools if tool[0] == request.section("tool_choice").get("name")]
    else:
        wanted = [tool for tool in tools if re.search(rf"\b{re.escape(tool[0])}\b", prompt)]
        if not wanted and (choice == "required" or _WANTS_TOOL.search(prompt)):
            wanted = tools[:1]
    if request.body.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    return [_call(name, tool, namespace, prompt) for name, tool, namespace in wanted]


def _call(name: str, tool: JsonObject, namespace: str | None, prompt: str) -> Call:
    if tool["type"] == "custom":
        payload = PATCH if name == "apply_patch" else gist(prompt, 24)
        return Call(name, payload, is_custom=True, namespace=namespace)
    schema: JsonObject = tool.get("parameters") or {"type": "object"}
    # The name of the tool is no argument of it.
    hints = re.sub(rf"\b{re.escape(name)}\b", "", prompt)
    made = SchemaInstances(schema, hints).make()
    return Call(name, json.dumps(made, ensure_ascii=False), namespace=namespace)


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


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
