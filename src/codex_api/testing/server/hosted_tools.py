"""Tools that the server runs: search of a little web and of its own files, code, pictures.

Code is not run: a test server that carries out what a prompt says would be a way into the machine
of who tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from codex_api.testing.server.arguments import text_given
from codex_api.testing.server.corpus import PAGES, relevance, shared_words
from codex_api.testing.server.drawing import MAX_PARTIAL, drawn, partly_drawn, wanted_size
from codex_api.testing.server.plan import ToolItem
from codex_api.testing.server.schema_instances import gist
from codex_api.testing.server.tokens import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from codex_api.testing.wire import JsonObject

MAX_RESULTS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool did.

    Attributes:
        told: What the answer says of it.
        quotes: Texts in ``told`` and the annotation that each has, without its place.
    """

    item: ToolItem
    told: str
    quotes: tuple[tuple[str, JsonObject], ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What a tool has to go by.

    Attributes:
        said: What the prompt says for it.
        include: What the request wants to be told.
        files: Id, name and content of the files that are kept.
    """

    tool: JsonObject
    said: str
    include: Collection[str]
    files: Sequence[tuple[str, str, bytes]]


def run(kind: str, work: Work) -> Outcome | None:
    """Run a tool; None for one that the server does not run."""
    made = _TOOLS.get(kind)
    return None if made is None else made(work)


def _web_search(work: Work) -> Outcome:
    query = text_given("query", work.said) or gist(work.said)
    filters = cast("JsonObject", work.tool.get("filters") or {})
    domains = cast("list[str]", filters.get("allowed_domains") or [])
    allowed = [page for page in PAGES if not domains or page.url.split("/")[2] in domains]
    best = max(allowed, key=lambda page: relevance(page, query), default=None)
    found = [] if best is None or not relevance(best, query) else [best]
    action: JsonObject = {"type": "search", "query": query, "queries": [query]}
    if "web_search_call.action.sources" in work.include:
        action["sources"] = [{"type": "url", "url": page.url} for page in found]
    item = ToolItem(
        "web_search_call",
        "ws",
        {"status": "in_progress", "action": {"type": "search", "query": query}},
        _steps("web_search_call", "in_progress", "searching", "completed"),
        {"status": "completed", "action": action},
    )
    if not found:
        return Outcome(item, f'I searched the web for "{query}" and found nothing.')
    page = found[0]
    quote = f"{page.title} ({page.url})"
    cited: JsonObject = {"type": "url_citation", "url": page.url, "title": page.title}
    told = f'I searched the web for "{query}" and found {quote}: {page.lines[0]}'
    return Outcome(item, told, ((quote, cited),))


def _file_search(work: Work) -> Outcome:
    query = text_given("query", work.said) or gist(work.said)
    most = min(int(work.tool.get("max_num_results") or MAX_RESULTS), MAX_RESULTS)
    texts = [(ident, name, data.decode("utf-8", "replace")) for ident, name, data in work.files]
    scored = [(shared_words(text, query), ident, name, text) for ident, name, text in texts]
    best = sorted((each for each in scored if each[0]), key=lambda each: (-each[0], each[1]))[:most]
    words = max(len(query.split()), 1)
    results: list[JsonObject] = [
        {
            "file_id": ident,
            "filename": name,
            "score": min(score / words, 1.0),
            "text": gist(text, 40),
            "attributes": {},
        }
        for score, ident, name, text in best
    ]
    is_told = "file_search_call.results" in work.include
    item = ToolItem(
        "file_search_call",
        "fs",
        {"status": "in_progress", "queries": [query], "results": None},
        _steps("file_search_call", "in_progress", "searching", "completed"),
        {"status": "completed", "results": results if is_told else None},
    )
    if not best:
        return Outcome(item, f'I searched the files for "{query}" and found nothing.')
    _, ident, name, text = best[0]
    cited: JsonObject = {"type": "file_citation", "file_id": ident, "filename": name}
    told = f'I searched the files for "{query}" and found {name}: "{gist(text, 24)}".'
    return Outcome(item, told, ((name, cited),))


def _code_interpreter(work: Work) -> Outcome:
    code = text_given("code", work.said) or 'print("hello")'
    container: object = work.tool.get("container")
    named = container if isinstance(container, str) else "cntr_auto"
    logs = f"The code has {len(code.splitlines())} lines and was not run."
    is_told = "code_interpreter_call.outputs" in work.include
    deltas = [("code_interpreter_call_code.delta", {"delta": piece}) for piece in pieces(code)]
    item = ToolItem(
        "code_interpreter_call",
        "ci",
        {"status": "in_progress", "code": "", "container_id": named, "outputs": None},
        (
            *_steps("code_interpreter_call", "in_progress"),
            *deltas,
            ("code_interpreter_call_code.done", {"code": code}),
            *_steps("code_interpreter_call", "interpreting", "completed"),
        ),
        {
            "status": "completed",
            "code": code,
            "outputs": [{"type": "logs", "logs": logs}] if is_told else None,
        },
    )
    return Outcome(item, logs)


def _image_generation(work: Work) -> Outcome:
    prompt = text_given("prompt", work.said) or gist(work.said)
    tool = work.tool
    size = wanted_size(tool.get("size"))
    background = tool.get("background") or "auto"
    shown: JsonObject = {
        "size": f"{size[0]}x{size[1]}",
        "quality": tool.get("quality") or "auto",
        "background": "opaque" if background == "auto" else background,
        "output_format": "png",
    }
    count = min(int(tool.get("partial_images") or 0), MAX_PARTIAL)
    partial: list[tuple[str, JsonObject]] = [
        (
            "image_generation_call.partial_image",
            {
                "partial_image_index": number,
                "partial_image_b64": partly_drawn(prompt, size, number),
                **shown,
            },
        )
        for number in range(count)
    ]
    item = ToolItem(
        "image_generation_call",
        "ig",
        {"status": "in_progress", "result": None},
        (
            *_steps("image_generation_call", "in_progress", "generating"),
            *partial,
            *_steps("image_generation_call", "completed"),
        ),
        {
            "status": "completed",
            "result": drawn(prompt, size, is_transparent=background == "transparent"),
            "revised_prompt": prompt,
            "action": "generate",
            **shown,
        },
    )
    return Outcome(item, f'I drew "{prompt}".')


def _steps(kind: str, *states: str) -> tuple[tuple[str, JsonObject], ...]:
    return tuple((f"{kind}.{state}", {}) for state in states)


_TOOLS: dict[str, Callable[[Work], Outcome]] = {
    "code_interpreter": _code_interpreter,
    "file_search": _file_search,
    "image_generation": _image_generation,
    "web_search": _web_search,
}
