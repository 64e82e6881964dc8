"""Built-in tools: what the server runs, what it asks the client for, and which one is meant."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from codex_api.testing.server.model import answer
from codex_api.testing.server.plan import Answer, Call, Output, ToolItem
from codex_api.testing.server.png import size_of
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.validation import parse_response_request

WEB = {"type": "web_search"}
FILES = {"type": "file_search", "vector_store_ids": ["vs_1"]}
CODE = {"type": "code_interpreter", "container": {"type": "auto"}}
IMAGE = {"type": "image_generation", "size": "64x32"}
MCP = {"type": "mcp", "server_label": "remote", "server_url": "https://mcp.invalid"}
FREE = {**MCP, "require_approval": "never"}
FUNCTION = {"type": "function", "name": "lookup", "parameters": {"type": "object"}}
ALL = [WEB, FILES, CODE, IMAGE]
KEPT = [
    ("file-1", "rome.txt", b"Rome was not built in a day"),
    ("file-2", "oslo.txt", b"Oslo has a new library and it was built"),
]


def plan(prompt: Any, *tools: Any, files: Any = (), **more: Any) -> list[Output]:
    body = {"model": "m", "input": prompt, "tools": list(tools), **more}
    return answer(parse_response_request(body), files)


def one(*args: Any, **more: Any) -> tuple[ToolItem, Answer]:
    item, said = plan(*args, **more)
    assert isinstance(item, ToolItem)
    assert isinstance(said, Answer)
    return item, said


def kinds(outputs: list[Output]) -> list[str]:
    return [
        each.kind if isinstance(each, ToolItem) else type(each).__name__.lower() for each in outputs
    ]


def test_the_web_is_searched_and_cited() -> None:
    item, said = one('web_search "growing tomatoes"', WEB)

    assert item.ended["action"] == {
        "type": "search",
        "query": "growing tomatoes",
        "queries": ["growing tomatoes"],
    }
    (cited,) = said.annotations
    quoted = said.text[cited["start_index"] : cited["end_index"]]
    assert (cited["title"], cited["url"]) == (
        "Growing tomatoes",
        "https://garden.example.org/tomatoes",
    )
    assert quoted == f"{cited['title']} ({cited['url']})"


def test_sources_are_told_where_they_are_wanted() -> None:
    include = ["web_search_call.action.sources"]
    item, _ = one("web_search query=tomatoes", WEB, include=include)

    assert item.ended["action"]["sources"] == [
        {"type": "url", "url": "https://garden.example.org/tomatoes"}
    ]


def test_a_search_keeps_to_its_domains() -> None:
    tool = {**WEB, "filters": {"allowed_domains": ["docs.example.com"]}}
    _, said = one("web_search tomatoes", tool)

    assert said.text.endswith("found nothing.")
    assert said.annotations == ()


def test_kept_files_are_searched_and_cited() -> None:
    include = ["file_search_call.results"]
    tool = {**FILES, "max_num_results": 1}
    item, said = one('file_search "rome was built"', tool, files=KEPT, include=include)
    untold, _ = one('file_search "rome was built"', tool, files=KEPT)

    (result,) = item.ended["results"]
    assert (result["file_id"], result["score"]) == ("file-1", 1.0)
    assert untold.ended["results"] is None
    (cited,) = said.annotations
    assert said.text[: cited["index"]].endswith("rome.txt")


def test_code_is_shown_and_not_run() -> None:
    prompt = "code_interpreter\n```python\na = 1\nprint(a)\n```"
    item, said = one(prompt, CODE, include=["code_interpreter_call.outputs"])

    assert item.ended["code"] == "a = 1\nprint(a)\n"
    deltas = [fields["delta"] for name, fields in item.steps if name.endswith("code.delta")]
    assert "".join(deltas) == item.ended["code"]
    assert item.ended["outputs"] == [{"type": "logs", "logs": said.text}]
    assert said.text == "The code has 2 lines and was not run."


@pytest.mark.parametrize(("asked", "given"), [(None, 0), (0, 0), (2, 2), (9, 3)])
def test_a_picture_comes_with_its_parts(asked: int | None, given: int) -> None:
    item, _ = one("image_generation", {**IMAGE, "partial_images": asked})

    parts = [fields for name, fields in item.steps if name.endswith("partial_image")]
    assert [part["partial_image_index"] for part in parts] == list(range(given))
    drawings = [part["partial_image_b64"] for part in parts] + [item.ended["result"]]
    assert {size_of(base64.b64decode(each)) for each in drawings} == {(64, 32)}
    assert len(set(drawings)) == given + 1


def test_tools_of_a_remote_server_are_listed_once() -> None:
    tool = {**FREE, "allowed_tools": {"tool_names": ["ask", "tell"]}}
    listing, said = one("hi", tool)
    listed = {"type": "mcp_list_tools", "id": "mcpl_1", **listing.ended, "server_label": "remote"}
    again = plan([listed, {"role": "user", "content": "hi"}], tool)

    assert [each["name"] for each in listing.ended["tools"]] == ["ask", "tell"]
    assert said.text.startswith("You said")
    assert kinds(again) == ["answer"]
    assert kinds(plan("hi", tool, tool_choice="none")) == ["answer"]


@pytest.mark.parametrize("prompt", ["echo text=hi", "remote text=hi", "use the tool text=hi"])
def test_a_remote_tool_returns_what_it_gets(prompt: str) -> None:
    _, call, said = plan(prompt, FREE)

    assert isinstance(call, ToolItem)
    assert (call.begun["name"], call.ended["arguments"]) == ("echo", '{"text": "hi"}')
    assert said == Answer('echo returned "hi".')


def test_a_remote_call_waits_for_approval() -> None:
    listing, asked = plan("echo text=hi", MCP)
    assert isinstance(asked, ToolItem)
    question = {"type": asked.kind, "id": "mcpr_1", **asked.begun}
    history = [{"role": "user", "content": "echo text=hi"}, question]

    def decided(*, approve: bool) -> list[Output]:
        response = {
            "type": "mcp_approval_response",
            "approval_request_id": "mcpr_1",
            "approve": approve,
        }
        return plan([*history, response])

    call, said = decided(approve=True)
    assert isinstance(listing, ToolItem)
    assert isinstance(call, ToolItem)
    assert call.begun["approval_request_id"] == "mcpr_1"
    assert said == Answer('echo returned "hi".')
    assert decided(approve=False) == [Answer("echo was not allowed.")]


def test_an_approval_of_nothing_is_refused() -> None:
    response = {"type": "mcp_approval_response", "approval_request_id": "x", "approve": True}

    with pytest.raises(RequestProblem):
        plan([response])


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        ("never", "mcp_call"),
        ("always", "mcp_approval_request"),
        ({"never": {"tool_names": ["echo"]}}, "mcp_call"),
        ({"never": {"tool_names": ["other"]}}, "mcp_approval_request"),
    ],
)
def test_approval_is_asked_for_as_the_request_says(needed: Any, expected: str) -> None:
    outputs = plan("echo", {**MCP, "require_approval": needed})

    assert expected in kinds(outputs)


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ("web_search", "web_search_call"),
        ("web_search_preview", "web_search_call"),
        ("file_search", "file_search_call"),
        ("code_interpreter", "code_interpreter_call"),
        ("image_generation", "image_generation_call"),
    ],
)
def test_a_tool_is_forced(tool: str, kind: str) -> None:
    assert kinds(plan("hi", FUNCTION, *ALL, tool_choice={"type": tool})) == [kind, "answer"]


def test_a_remote_tool_is_forced_by_label_and_name() -> None:
    tool = {**FREE, "allowed_tools": ["ask", "tell"]}
    choice = {"type": "mcp", "server_label": "remote", "name": "tell"}
    _, call, _ = plan("hi", tool, tool_choice=choice)

    assert isinstance(call, ToolItem)
    assert call.begun["name"] == "tell"


@pytest.mark.parametrize(
    ("mode", "prompt", "expected"),
    [
        ("auto", "lookup and web_search", ["web_search_call", "answer"]),
        ("auto", "lookup", ["answer"]),
        ("required", "hi", ["web_search_call", "answer"]),
    ],
)
def test_only_allowed_tools_are_called(mode: str, prompt: str, expected: list[str]) -> None:
    choice = {"type": "allowed_tools", "mode": mode, "tools": [WEB, FILES]}

    assert kinds(plan(prompt, FUNCTION, CODE, WEB, tool_choice=choice)) == expected


def test_an_allowed_function_is_called_by_its_name() -> None:
    allowed = {"type": "function", "name": "lookup"}
    choice = {"type": "allowed_tools", "mode": "required", "tools": [allowed]}

    assert plan("hi", WEB, FUNCTION, tool_choice=choice) == [Call("lookup", "{}")]


def test_no_more_tools_are_run_than_the_request_allows() -> None:
    prompt = "web_search, file_search and lookup"

    assert kinds(plan(prompt, WEB, FILES, max_tool_calls=1)) == ["web_search_call", "answer"]
    assert kinds(plan(prompt, WEB, FUNCTION, max_tool_calls=0)) == ["call"]


def test_no_answer_before_the_client_has_done_its_part() -> None:
    assert kinds(plan("web_search and lookup", FUNCTION, WEB)) == ["call", "web_search_call"]


@pytest.mark.parametrize(
    ("prompt", "tool", "expected"),
    [
        ("shell `ls -l`", "shell", {"commands": ["ls -l"]}),
        ('shell commands=["a", "b"]', "shell", {"commands": ["a", "b"]}),
        ("shell please look around", "shell", {"commands": []}),
        ("local_shell `ls -l`", "local_shell", {"command": ["ls", "-l"]}),
        ('local_shell command=["ls"]', "local_shell", {"command": ["ls"]}),
        ("local_shell `it's`", "local_shell", {"command": ["it's"]}),
        ("computer", "computer", {"type": "screenshot"}),
    ],
)
def test_the_client_carries_out_what_is_given(prompt: str, tool: str, expected: Any) -> None:
    (item,) = plan(prompt, {"type": tool})

    assert isinstance(item, ToolItem)
    assert item.is_for_client
    assert item.begun["action"].items() >= expected.items()


@pytest.mark.parametrize(
    ("prompt", "operation"),
    [
        (
            "apply_patch type=create_file path=a.txt diff='+bye'",
            {"type": "create_file", "path": "a.txt", "diff": "+bye"},
        ),
        ("apply_patch `+bye`", {"type": "update_file", "path": "", "diff": "+bye"}),
        ("do not apply_patch", {"type": "update_file", "path": "", "diff": ""}),
    ],
)
def test_a_patch_is_what_is_given_or_changes_nothing(
    prompt: str, operation: dict[str, str]
) -> None:
    (item,) = plan(prompt, {"type": "apply_patch"})

    assert isinstance(item, ToolItem)
    assert item.begun["operation"] == operation


def test_what_a_shell_returned_is_told() -> None:
    items = [
        {"type": "shell_call", "call_id": "1", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "call_id": "1", "output": [{"stdout": "a.txt"}]},
    ]

    assert plan(items) == [Answer('shell returned "a.txt".')]
