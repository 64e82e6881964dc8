"""What the model puts out where tools are wanted: calls, and what built-in tools did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.testing.server import mcp_tools
from codex_api.testing.server.arguments import custom_input, function_arguments, said_after
from codex_api.testing.server.hosted_tools import Outcome, Work, run
from codex_api.testing.server.local_tools import asked_of_client
from codex_api.testing.server.offers import wanted_offers
from codex_api.testing.server.plan import Answer, Call, Output, ToolItem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codex_api.testing.server.offers import Offer
    from codex_api.testing.server.validation import ResponseRequest
    from codex_api.testing.wire import JsonObject


def tool_outputs(
    request: ResponseRequest,
    prompt: str,
    files: Sequence[tuple[str, str, bytes]],
    formatted: Callable[[str], str],
) -> list[Output]:
    """Return what comes of the tools that ``prompt`` and ``tool_choice`` want; nothing for none.

    An answer follows what the server ran, unless the client is to carry something out first.
    """
    wanted = wanted_offers(request, prompt)
    include = request.body.get("include") or ()
    outputs: list[Output] = []
    done: list[Outcome] = []
    most: int | None = request.body.get("max_tool_calls")
    for offer in wanted:
        if most is not None and len(done) >= most and offer.kind not in {"function", "custom"}:
            continue
        others = [other.name for other in wanted if other.name != offer.name]
        said = said_after(offer.name, prompt, others)
        outcome = run(offer.kind, Work(offer.tool, said, include, files)) or _mcp(offer, said)
        if outcome is not None:
            done.append(outcome)
            outputs.append(outcome.item)
        elif (asked := _asked(offer, said)) is not None:
            outputs.append(asked)
    is_through = len(done) == len(outputs)
    told = [outcome for outcome in done if outcome.told]
    return [*outputs, answered(told, formatted)] if told and is_through else outputs


def approved_outputs(items: list[JsonObject], formatted: Callable[[str], str]) -> list[Output]:
    """Return what comes of the calls that were allowed or not; nothing where none was.

    Raises:
        RequestProblem: What was allowed had not been asked for.
    """
    decided = mcp_tools.decided(items)
    done = [
        Outcome(item := mcp_tools.approved(request), mcp_tools.output_of(item))
        for request, is_approved in decided
        if is_approved
    ]
    refused = [f"{request.get('name')} was not allowed." for request, is_ok in decided if not is_ok]
    if not decided:
        return []
    told = " ".join([*(outcome.told for outcome in done), *refused])
    return [*(outcome.item for outcome in done), Answer(formatted(told))]


def answered(outcomes: list[Outcome], formatted: Callable[[str], str]) -> Answer:
    """Tell what tools did, with an annotation where something is quoted."""
    text = formatted(" ".join(outcome.told for outcome in outcomes))
    annotations: list[JsonObject] = []
    for outcome in outcomes:
        for quote, annotation in outcome.quotes:
            start = text.find(quote)
            if start < 0:
                continue
            if annotation["type"] == "file_citation":
                annotations.append({**annotation, "index": start + len(quote)})
            else:
                end = start + len(quote)
                annotations.append({**annotation, "start_index": start, "end_index": end})
    return Answer(text, annotations=tuple(annotations))


def _mcp(offer: Offer, said: str) -> Outcome | None:
    if offer.kind != "mcp":
        return None
    item = mcp_tools.called(offer.tool, offer.name, said)
    return Outcome(item, "" if item.kind != "mcp_call" else mcp_tools.output_of(item))


def _asked(offer: Offer, said: str) -> Call | ToolItem | None:
    match offer.kind:
        case "custom":
            given = custom_input(offer.name, said)
            return Call(offer.name, given, is_custom=True, namespace=offer.namespace)
        case "function":
            schema: JsonObject = offer.tool.get("parameters") or {"type": "object"}
            return Call(offer.name, function_arguments(schema, said), namespace=offer.namespace)
        case _:
            return asked_of_client(offer.kind, said)
