"""Calls that are no functions, in runs through both fronts: who answers them, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after

from codex_api import (
    AsyncClient,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    items,
    tools,
)
from codex_api.session import SessionSettings
from codex_api.testing import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from codex_api.session import CallHandlers
    from tests.front import Front

pytestmark = pytest.mark.anyio

PATIENCE = 20.0
OVER_HTTP = SessionSettings(transport="http")
REMOTE = tools.Mcp(server_label="remote", server_url="https://mcp.invalid")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def session(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    kind = front.pick(Client, AsyncClient)
    api = kind(Provider("embedded", server.url), network=Network(proxy=None))
    async with front.entering(api), front.entering(api.session(OVER_HTTP)) as session:
        yield session


async def ran(front: Front, session: Any, prompt: str, *given: Any, **options: Any) -> Any:
    request = ResponsesApiRequest.public(model="gpt-5.1", input=prompt)
    with fail_after(PATIENCE):
        return await front(session.run, request, tools=given, **options)


def picture(call: items.ComputerCall) -> bytes:
    assert isinstance(call.action, items.Screenshot)
    return b"\x89PNG"


def run_commands(call: items.ShellCall) -> list[items.ShellOutput]:
    return [
        items.ShellOutput(stdout=f"ran {command}", stderr="", outcome=items.Exit(0))
        for command in call.action.commands
    ]


def run_command(call: items.LocalShellCall) -> str:
    return " ".join(call.action.command) if isinstance(call.action, items.Exec) else ""


def patch(call: items.ApplyPatchCall) -> str:
    return f"patched by {call.operation.type}"


CASES: dict[str, tuple[str, Any, CallHandlers, dict[str, Any]]] = {
    "shell": (
        'shell commands=["ls","pwd"]',
        tools.Shell(environment={"type": "local"}),
        {"shell_call": run_commands},
        {
            "type": "shell_call_output",
            "output": [
                {"stdout": f"ran {name}", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
                for name in ("ls", "pwd")
            ],
        },
    ),
    "local shell": (
        "local_shell `ls -l`",
        tools.LocalShell(),
        {"local_shell_call": run_command},
        {"type": "local_shell_call_output", "output": "ls -l"},
    ),
    "patch": (
        "apply_patch path=a.txt type=create_file diff=`+x`",
        tools.ApplyPatch(),
        {"apply_patch_call": patch},
        {
            "type": "apply_patch_call_output",
            "status": "completed",
            "output": "patched by create_file",
        },
    ),
    "computer": (
        "computer",
        tools.Computer(),
        {"computer_call": picture},
        {
            "type": "computer_call_output",
            "output": {
                "type": "computer_screenshot",
                "image_url": "data:image/png;base64,iVBORw==",
            },
        },
    ),
    "function": (
        'lookup {"name": "Ada"}',
        {
            "type": "function",
            "name": "lookup",
            "parameters": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
        {"function_call": lambda call: {"of": call.name}},
        {"type": "function_call_output", "output": '{"of":"lookup"}'},
    ),
    "custom": (
        "write `some prose`",
        {"type": "custom", "name": "write"},
        {"custom_tool_call": lambda call: call.input.upper()},
        {"type": "custom_tool_call_output", "output": "SOME PROSE"},
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_handler_answers_its_type_of_call(
    front: Front, session: Any, server: EmbeddedServer, case: str
) -> None:
    prompt, tool, handlers, output = CASES[case]

    result = await ran(front, session, prompt, tool, handlers=handlers)

    assert (result.ended, result.turns) == ("completed", 2)
    (answer,) = result.answers
    sent = server.requests[-1].json()["input"][-1]
    assert output == {key: sent[key] for key in output}
    assert sent["call_id"] == answer.call.call_id
    assert answer.error is None


@pytest.mark.parametrize("case", CASES)
async def test_a_call_without_a_handler_is_left_to_the_caller(
    front: Front, session: Any, case: str
) -> None:
    prompt, tool, _, _ = CASES[case]

    result = await ran(front, session, prompt, tool)

    assert (result.ended, len(result.open_calls), result.answers) == ("open_calls", 1, [])


@pytest.mark.parametrize("approve", [True, False])
async def test_a_tool_of_an_mcp_server_runs_where_it_was_approved(
    front: Front, session: Any, *, approve: bool
) -> None:
    asked: list[str] = []

    def decide(request: items.McpApprovalRequest) -> bool:
        asked.append(f"{request.server_label}.{request.name}")
        return approve

    handlers: CallHandlers = {"mcp_approval_request": decide}
    result = await ran(front, session, "echo text=hi", REMOTE, handlers=handlers)

    assert (result.ended, asked) == ("completed", ["remote.echo"])
    assert ("mcp_call" in [item.type for item in result.items]) is approve
    (answer,) = result.answers
    assert (answer.name, answer.text) == ("echo", "approved" if approve else "denied")


async def test_an_approval_that_fails_is_none(front: Front, session: Any) -> None:
    def decide(_: items.McpApprovalRequest) -> bool:
        message = "nobody is at the desk"
        raise tools.ToolError(message)

    handlers: CallHandlers = {"mcp_approval_request": decide}
    result = await ran(front, session, "echo text=hi", REMOTE, handlers=handlers)

    (answer,) = result.answers
    assert "mcp_call" not in [item.type for item in result.items]
    assert answer.output.approve is False
    assert answer.text == "Error: nobody is at the desk"


async def test_a_custom_tool_is_made_of_a_function(front: Front, session: Any) -> None:
    def shout(text: str) -> str:
        """Say it loudly."""
        return text.upper()

    tool = tools.CustomTool.from_callable(shout)
    result = await ran(front, session, "shout `hello`", tool)

    assert tool.description == "Say it loudly."
    assert (result.ended, result.answers[0].text) == ("completed", "HELLO")


async def test_a_handler_may_await_where_it_can(front: Front, session: Any) -> None:
    async def run(call: items.LocalShellCall) -> str:
        return run_command(call)

    handlers: CallHandlers = {"local_shell_call": run}
    if not front.is_async:
        with pytest.raises(TypeError, match="the handler of local_shell_call is async"):
            await ran(front, session, "local_shell `ls`", tools.LocalShell(), handlers=handlers)
        return
    result = await ran(front, session, "local_shell `ls`", tools.LocalShell(), handlers=handlers)

    assert result.answers[0].text == "ls"


async def test_a_hidden_coroutine_is_a_failure_where_nothing_awaits_it() -> None:
    from tests.front import Front  # noqa: PLC0415 - its type is needed above only

    async def look() -> str:
        return ""

    front = Front("sync")
    handlers: CallHandlers = {"shell_call": lambda _: look()}
    with (
        EmbeddedServer() as server,
        Client(Provider("embedded", server.url), network=Network(proxy=None)) as api,
        api.session(OVER_HTTP) as session,
    ):
        result = await ran(front, session, "shell `ls`", tools.Shell(), handlers=handlers)

    assert "shell_call gave something to await" in str(result.answers[0].error)
