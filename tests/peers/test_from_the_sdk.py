"""The page on moving over from the official SDK says what is true of both libraries."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from codex_api import Client, Network, Provider, ResponsesApiRequest, RetryConfig, errors
from codex_api.testing import EmbeddedServer, faults, scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "from-the-openai-sdk.md").read_text()
THEIRS = re.compile(r"^```\{code-block\} python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
CODE = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)`")
#: Parts of the SDK of which the table has each call.
COVERED = ("responses", "conversations", "batches", "files", "models", "images")
REQUEST = ResponsesApiRequest.public(model="gpt-5.1", input="hi")


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def sdk(server: EmbeddedServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=server.url, max_retries=0) as sdk:
        yield sdk


@pytest.fixture
def client(server: EmbeddedServer) -> Iterator[Client]:
    once = Provider("mock", server.url, retry=RetryConfig(max_attempts=0))
    with Client(once, network=Network(proxy=None)) as client:
        yield client


def rows() -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in ROW.finditer(PAGE)]


def calls_of(resource: Any, name: str) -> set[str]:
    """Give the dotted names of all calls below a part of the SDK."""
    found: set[str] = set()
    for each in dir(type(resource)):
        if each.startswith(("_", "with_")):
            continue
        attribute = getattr(type(resource), each)
        if hasattr(attribute, "func") or isinstance(attribute, property):
            below = getattr(resource, each)
            if hasattr(below, "_client"):
                found |= calls_of(below, f"{name}.{each}")
        elif callable(attribute):
            found.add(f"{name}.{each}")
    return found


def resolved(owner: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        owner = getattr(owner, part)
    return owner


def test_the_table_has_each_call_of_the_sdk(sdk: openai.OpenAI) -> None:
    told = {name for theirs, _ in rows() for name in CODE.findall(theirs)}
    missing = set().union(*(calls_of(getattr(sdk, name), name) for name in COVERED)) - told

    assert missing == set()


def test_what_the_table_names_is_there(sdk: openai.OpenAI, client: Client) -> None:
    pairs = [(CODE.findall(theirs), CODE.findall(ours)) for theirs, ours in rows()]
    named = [pair for pair in pairs if pair[0] or pair[1]]

    assert len(named) > 35
    for theirs, ours in named:
        assert all(callable(resolved(sdk, name)) for name in theirs), theirs
        assert all(callable(resolved(client, name)) for name in ours), ours


def test_the_programs_of_the_sdk_run(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    programs = THEIRS.findall(PAGE)
    names: dict[str, Any] = {"__name__": "__main__"}
    for program in programs:
        exec(compile(ast.parse(program), "page", "exec"), names)  # noqa: S102 - that is the test
    names["client"].close()

    assert len(programs) == 4
    told = capsys.readouterr().out
    assert told.count('You said: "Say hello."') == 2
    assert "score=7" in told


STATUSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
}


@pytest.mark.parametrize(("status", "theirs"), STATUSES.items())
def test_errors_are_as_the_table_says(
    server: EmbeddedServer, sdk: openai.OpenAI, client: Client, status: int, theirs: str
) -> None:
    ours = dict(rows())[f"`{theirs}`"].strip("`")
    server.play(*[scenarios.http_error(status, kind="any")] * 2)
    with pytest.raises(openai.APIStatusError) as caught:
        sdk.responses.create(model="gpt-5.1", input="hi")
    with pytest.raises(errors.CodexApiError) as mapped:
        client.responses.create(REQUEST)

    assert type(caught.value).__name__ == theirs
    assert type(mapped.value).__name__ == ours
    assert mapped.value.status == status


def test_other_errors_of_the_table_are_there() -> None:
    told = {
        theirs.strip("`"): ours.strip("`") for theirs, ours in rows() if theirs.endswith("Error`")
    }

    assert len(told) == 11
    for theirs, ours in told.items():
        assert issubclass(getattr(openai, theirs), Exception)
        assert issubclass(getattr(errors, ours), errors.CodexApiError)


def test_a_connection_that_cannot_be_made_is_as_the_table_says() -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        once = Provider("mock", nowhere, retry=RetryConfig(max_attempts=0))
        with (
            openai.OpenAI(api_key="k", base_url=nowhere, max_retries=0) as sdk,
            pytest.raises(openai.APIConnectionError),
        ):
            sdk.responses.create(model="gpt-5.1", input="hi")
        with (
            Client(once, network=Network(proxy=None)) as client,
            pytest.raises(errors.NetworkError),
        ):
            client.responses.create(REQUEST)


def test_only_here_a_stream_that_ends_early_is_an_error(
    server: EmbeddedServer, sdk: openai.OpenAI, client: Client
) -> None:
    server.play(*[scenarios.faulty(faults.cut(after=3, how="clean"))] * 2)
    seen = list(sdk.responses.create(model="gpt-5.1", input="hi", stream=True))

    assert len(seen) == 3
    with pytest.raises(errors.StreamClosedError):
        client.responses.stream(REQUEST).collect()


def test_only_here_a_response_that_was_cut_off_is_an_error(
    server: EmbeddedServer, sdk: openai.OpenAI, client: Client
) -> None:
    server.play(*[scenarios.faulty(faults.incomplete())] * 2)
    answer = sdk.responses.create(model="gpt-5.1", input="hi")

    assert answer.status == "incomplete"
    with pytest.raises(errors.ResponseIncompleteError) as caught:
        client.responses.create(REQUEST)
    assert caught.value.partial is not None


def test_the_two_retry_as_often_as_the_page_says() -> None:
    assert openai.DEFAULT_MAX_RETRIES == 2
    assert RetryConfig().max_attempts == 4
    assert not RetryConfig().retry_429
    assert openai.DEFAULT_TIMEOUT.read == 600
