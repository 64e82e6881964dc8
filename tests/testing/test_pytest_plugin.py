from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from codex_api.testing import cassette_fixture, server
from codex_api.testing.cassettes import load

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

# What is imported first in a run of pytest in this process is forgotten after it.
_KEPT_LOADED = (cassette_fixture, server)

SERVED = """
import httpx2, pytest

HELLO = {"model": "m", "input": "hi"}

def test_the_fixture_is_a_running_server(codex_server):
    assert httpx2.post(f"{codex_server.url}/responses", json=HELLO).status_code == 200

@pytest.mark.codex_server(api_keys=frozenset({"k"}))
def test_the_marker_chooses_settings(codex_server):
    assert httpx2.post(f"{codex_server.url}/responses", json=HELLO).status_code == 401
"""

#: The server that is recorded is one of the same run.
CONFTEST = """
import pytest

@pytest.fixture
def codex_upstream(codex_server):
    return codex_server.url
"""

#: Imported by the worker that needs it: the official client takes longer than all else here.
CLIENTS = """
import asyncio
import pytest
from codex_api import AsyncClient, Provider, ResponsesApiRequest

async def from_official_async_code():
    import openai
    async with openai.AsyncOpenAI() as client:
        assert (await client.responses.create(model="m", input="say four")).output_text

def test_the_official_client(codex_cassette):
    import openai
    with openai.OpenAI(max_retries=0) as client:
        assert client.responses.create(model="m", input="say one").output_text
        with client.responses.stream(model="m", input="say two") as stream:
            events = [event.type for event in stream]
    assert events[-1] == "response.completed"
    asyncio.run(from_official_async_code())

async def from_async_code(url):
    request = ResponsesApiRequest(model="m", input="say three")
    async with AsyncClient(Provider(name="test", base_url=url)) as client:
        return (await client.responses.stream(request).collect()).text

def test_ours_in_a_loop(codex_cassette):
    assert asyncio.run(from_async_code(codex_cassette.url))

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_asynchronous_test(codex_cassette, anyio_backend):
    assert await from_async_code(codex_cassette.url)
"""

#: The standard library's client: it is quick to import.
ASK = """
import json, os, pytest, urllib.error, urllib.request

def ask(text, **more):
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/responses",
        json.dumps({"model": "m", "input": text, **more}).encode(),
        {"content-type": "application/json", "authorization": "Bearer sk-proj-aaaabbbbccccdddd"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        error.close()
"""


class Run(NamedTuple):
    code: int
    output: str

    @property
    def last_line(self) -> str:
        return next(
            line.strip("= ") for line in reversed(self.output.splitlines()) if " in " in line
        )


class Project:
    """A folder with tests, and pytest in this process or in one of its own."""

    def __init__(self, pytester: pytest.Pytester, patch: pytest.MonkeyPatch) -> None:
        self.folder = pytester.path
        self._pytester, self._patch = pytester, patch

    def write(self, tests: str, conftest: str = CONFTEST) -> None:
        (self.folder / "test_it.py").write_text(tests)
        (self.folder / "conftest.py").write_text(conftest)

    def run(
        self, *options: str, is_apart: bool = False, variables: dict[str, str] | None = None
    ) -> Run:
        flags = [
            "-p",
            "no:cacheprovider",
            "--strict-markers",
            "-W",
            "error",
            "-p",
            "no:inline_snapshot",
            "-p",
            "no:hypothesispytest",
        ]
        run = (
            self._pytester.runpytest_subprocess if is_apart else self._pytester.runpytest_inprocess
        )
        with self._patch.context() as patch:
            for name in list(os.environ):
                if name.startswith(("OPENAI_", "CODEX_")):
                    patch.delenv(name)
            for name, value in (variables or {}).items():
                patch.setenv(name, value)
            done = run(*flags, *options)
        return Run(int(done.ret), f"{done.stdout}\n{done.stderr}")

    def cassettes(self) -> dict[str, Path]:
        found = sorted(self.folder.glob("cassettes/**/*.jsonl"))
        return {path.name: path for path in found}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(pytester, monkeypatch)


def test_the_installed_plugin_lends_a_server_and_declares_its_marker(project: Project) -> None:
    project.write(SERVED, "")

    run = project.run()

    assert (run.code, run.last_line[:8]) == (0, "2 passed")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_any_client_asked_is_recorded_by_workers_and_answered_ever_after(
    project: Project,
) -> None:
    project.write(CLIENTS)

    recorded = project.run("--codex-cassette=once", "-n", "2", is_apart=True)
    before = {name: path.read_bytes() for name, path in project.cassettes().items()}
    project.write(CLIENTS, "")  # nothing is there to be recorded
    replayed = project.run(is_apart=True)

    assert (recorded.code, recorded.last_line[:8]) == (0, "3 passed"), recorded.output
    assert (replayed.code, replayed.last_line[:8]) == (0, "3 passed"), replayed.output
    assert len(before) == 3
    assert {path.parent.name for path in project.cassettes().values()} == {"test_it"}
    assert {name: path.read_bytes() for name, path in project.cassettes().items()} == before
    assert sorted(project.folder.rglob("*.part")) == []


def test_each_test_has_a_cassette_of_its_own_without_the_key(project: Project) -> None:
    project.write(f"""{ASK}
class TestIt:
    @pytest.mark.parametrize("text", ["a/b", "a b", "c"])
    def test_texts(self, codex_cassette, text):
        assert ask(text)
""")

    recorded = project.run("--codex-cassette=once")
    names = list(project.cassettes())
    once_more = project.run(variables={"CODEX_CASSETTE": "once"})

    assert (recorded.code, once_more.code) == (0, 0), recorded.output + once_more.output
    assert len(names) == 3
    assert names[2] == "TestIt.test_texts-c.jsonl"
    assert list(project.cassettes()) == names
    assert not any(b"sk-proj" in path.read_bytes() for path in project.cassettes().values())


ASKS = """
@pytest.mark.codex_cassette(ignore=["metadata"])
def test_it(codex_cassette):
    for text in {texts}:
        ask(text, metadata={{"run": "{run}"}})
{more}
"""


def asks(*texts: str, run: str = "1", more: str = "") -> str:
    return ASK + ASKS.format(texts=list(texts), run=run, more=more)


def inputs(path: Path) -> list[str]:
    return [str(json.loads(each.request_body)["input"]) for each in load(path)]


def test_a_changed_question_fails_even_a_test_that_swallows_the_error(project: Project) -> None:
    project.write(asks("one", "two"))
    assert project.run("--codex-cassette=once").code == 0
    project.write(asks("one", "too", run="2"))

    run = project.run()

    assert run.code == 1
    assert 'input: recorded "two", now "too"' in run.output
    assert "record it again with --codex-cassette=all, or new" in run.output
    assert "metadata" not in run.output
    section = run.output.partition(" codex requests ")[2]
    assert "POST /v1/responses 200, " in section
    assert 'm, "one"' in section
    assert "POST /v1/responses 418, " in section


def test_new_adds_what_is_not_recorded_and_all_begins_anew(project: Project) -> None:
    project.write(asks("one", "two"))
    assert project.run("--codex-cassette=new").code == 0
    (path,) = project.cassettes().values()
    before = path.read_text()
    project.write(asks("one", "two", "three"))

    added = project.run("--codex-cassette=new")
    joined = path.read_text()
    unchanged = project.run()
    project.write(asks("four"))
    anew = project.run("--codex-cassette=all")

    assert (added.code, unchanged.code, anew.code) == (0, 0, 0), added.output
    assert joined.startswith(before)
    assert len(joined) > len(before)
    assert inputs(path) == ["four"]


def test_a_test_that_fails_leaves_the_cassette_as_it_was(project: Project) -> None:
    project.write(asks("one"))
    assert project.run("--codex-cassette=once").code == 0
    (path,) = project.cassettes().values()
    before = path.read_bytes()

    project.write(asks("two", more="    assert not codex_cassette.is_recording"))
    failed = project.run("--codex-cassette=all")
    project.write(asks("two", more="    pytest.skip('not today')"))
    skipped = project.run("--codex-cassette=new")

    assert (failed.code, skipped.code) == (1, 0)
    assert path.read_bytes() == before


def test_without_a_cassette_the_test_says_how_to_record_one(project: Project) -> None:
    project.write(asks("one"))

    run = project.run()

    assert run.code == 1
    assert "test_it.jsonl; record it with --codex-cassette=once" in run.output
    assert project.cassettes() == {}


def test_a_cassette_that_cannot_be_read_is_named(project: Project) -> None:
    project.write(asks("one"))
    assert project.run("--codex-cassette=once").code == 0
    (path,) = project.cassettes().values()
    path.write_text("{}\n")

    run = project.run()

    assert run.code == 1
    assert "line 1 of test_it.jsonl is no line of a cassette" in run.output


def test_the_mode_is_that_of_the_option_the_variable_the_marker_or_the_file(
    project: Project,
) -> None:
    tells = "def test_it(codex_cassette): print('mode', codex_cassette.mode)"
    marked = f"import pytest\n@pytest.mark.codex_cassette(mode='once')\n{tells}"
    (project.folder / "pytest.ini").write_text("[pytest]\ncodex_cassette = all\n")

    def mode(tests: str, *options: str, variables: dict[str, str] | None = None) -> str:
        project.write(tests)
        return (
            project.run("-s", *options, variables=variables).output.partition("mode ")[2].split()[0]
        )

    assert mode(tells) == "all"
    assert mode(marked) == "once"
    assert mode(marked, variables={"CODEX_CASSETTE": "new"}) == "new"
    assert mode(marked, "--codex-cassette=none", variables={"CODEX_CASSETTE": "new"}) == "none"


@pytest.mark.parametrize(
    ("marker", "variables", "told"),
    [
        ("mode='some'", {}, "the marker codex_cassette has to be one of none, once, new, all"),
        ("", {"CODEX_CASSETTE": "yes"}, "$CODEX_CASSETTE has to be one of"),
        ("modes='all'", {}, "the marker codex_cassette takes a path and environment, ignore"),
        ("'a.jsonl', path='b.jsonl'", {}, "the marker codex_cassette takes a path and"),
    ],
)
def test_settings_that_do_not_exist_are_refused(
    project: Project, marker: str, variables: dict[str, str], told: str
) -> None:
    project.write(
        f"import pytest\n@pytest.mark.codex_cassette({marker})\ndef test_it(codex_cassette): ..."
    )

    run = project.run(variables=variables)

    assert run.code != 0
    assert told in run.output


def test_a_cassette_that_is_named_may_serve_several_tests_and_is_not_recorded(
    project: Project,
) -> None:
    project.write(asks("one"))
    assert project.run("--codex-cassette=once").code == 0
    (path,) = project.cassettes().values()
    path.rename(project.folder / "tape.jsonl")
    before = (project.folder / "tape.jsonl").read_bytes()
    tests = asks("one").replace("ignore", "'tape.jsonl', ignore")
    project.write(tests + tests.replace("test_it", "test_once_more"))

    run = project.run("--codex-cassette=all")

    assert (run.code, run.last_line[:8]) == (0, "2 passed"), run.output
    assert list(project.cassettes()) == []
    assert (project.folder / "tape.jsonl").read_bytes() == before


def test_the_environment_is_left_alone_where_the_marker_says_so(project: Project) -> None:
    project.write("""
import os, pytest

@pytest.mark.codex_cassette(environment=False)
def test_alone(codex_cassette):
    assert "OPENAI_BASE_URL" not in os.environ

def test_set(codex_cassette):
    assert os.environ["OPENAI_BASE_URL"] == codex_cassette.url
    assert os.environ["NO_PROXY"] == "127.0.0.1,localhost"

def test_after():
    assert "OPENAI_BASE_URL" not in os.environ
""")

    run = project.run(
        "--codex-cassette=once", "-p", "no:randomly", variables={"NO_PROXY": "localhost"}
    )

    assert (run.code, run.last_line[:8]) == (0, "3 passed"), run.output


def test_a_failure_shows_what_the_server_saw(project: Project) -> None:
    project.write(
        f"""{ASK}
from codex_api.testing import scenarios

def test_it(codex_server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", codex_server.url)
    codex_server.play(scenarios.rate_limited(retry_after="7"))
    ask("say one")
    ask("say\\x1b[31m two", stream=True)
    assert False
""",
        "",
    )

    run = project.run()
    section = run.output.partition(" codex requests ")[2]

    assert run.code == 1
    assert "POST /v1/responses 429, " in section
    assert 'm, "say one"' in section
    assert 'completed, m, "say\\\\x1b[31m two"' in section
    assert " ms response.created\n" in section
    assert " ms response.output_text.delta x " in section
    assert "sk-proj" not in section
