from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import httpx2
import pytest

import codex_api.testing
from codex_api.testing import EmbeddedServer, ExpectationError, ServerSettings, faults
from codex_api.testing.fault_names import NAMES
from codex_api.testing.scenario_files import ScenarioFileError, load_scenario, parse_scenario
from codex_api.testing.scenario_format import known_keys, schema
from codex_api.testing.source_lines import lines_of

PACKAGE = Path(str(codex_api.testing.__file__)).parent
DOCS = Path(__file__).parents[2] / "docs"

WEATHER = """
seed = 7

[[rule]]
name = "weather"
when = { text = "weather" }

[[rule.reply]]
fail = "overloaded"
times = 2

[[rule.reply]]
think = ["The user asks.", "A tool knows."]
call = { tool = "get_weather", pieces = ['{"city":', ' "Par', 'is"}'] }

[[rule]]
name = "told"
when = { tool = "get_weather", tool_output = "sun" }

[rule.reply]
say = ["It is ", "sunny."]
usage = { input_tokens = 5, output_tokens = 2, cached_tokens = 1 }
headers = { x-mine = "1" }
without_headers = ["X-Models-Etag"]
"""


def ask(server: EmbeddedServer, given: Any, **more: Any) -> httpx2.Response:
    headers = more.pop("headers", {})
    body = {"model": "gpt-5.1", "input": given, "stream": True, **more}
    return httpx2.post(f"{server.url}/responses", json=body, headers=headers)


def events(reply: httpx2.Response) -> list[dict[str, Any]]:
    lines = reply.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def said(reply: httpx2.Response) -> str:
    return "".join(
        each["delta"] for each in events(reply) if each["type"] == "response.output_text.delta"
    )


def scenario(tmp_path: Path, text: str, name: str = "a.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_tool_is_called_after_two_failures_and_answered_for(tmp_path: Path) -> None:
    with EmbeddedServer(scenario=scenario(tmp_path, WEATHER)) as server:
        statuses = [ask(server, "How is the weather?").status_code for _ in range(2)]
        third = ask(server, "How is the WEATHER?")
        call = events(third)[-1]["response"]["output"][1]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        question = {"role": "user", "content": "How is the weather?"}
        fourth = ask(server, [question, call, output])
        other = ask(server, "hello")

    assert statuses == [503, 503]
    reasoning = events(third)[-1]["response"]["output"][0]
    assert [each["text"] for each in reasoning["summary"]] == ["The user asks.", "A tool knows."]
    kind = "response.function_call_arguments.delta"
    pieces = [each["delta"] for each in events(third) if each["type"] == kind]
    assert (pieces, call["arguments"]) == (['{"city":', ' "Par', 'is"}'], '{"city": "Paris"}')
    assert said(fourth) == "It is sunny."
    assert events(fourth)[-1]["response"]["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }
    assert fourth.headers["x-mine"] == "1"
    assert "x-models-etag" not in fourth.headers
    assert said(other).startswith('You said: "hello".')


def test_the_same_in_json_is_the_same(tmp_path: Path) -> None:

    text = json.dumps(tomllib.loads(WEATHER))

    one = load_scenario(scenario(tmp_path, WEATHER))
    two = load_scenario(scenario(tmp_path, text, "a.json"))
    assert one.content == two.content


@pytest.mark.parametrize(
    ("when", "hits", "misses"),
    [
        ('{ model = "gpt-5*" }', {}, {"model": "o4"}),
        ('{ text_matches = "^say .*[0-9]$" }', {"given": "say 1"}, {"given": "say one"}),
        ("{ turn = 2 }", {"given": [{"role": "user", "content": "a"}] * 2}, {}),
        ('{ headers = { X-Tenant = "a*" } }', {"headers": {"x-tenant": "abc"}}, {}),
    ],
)
def test_rules_look_at_what_is_asked(
    tmp_path: Path, when: str, hits: dict[str, Any], misses: dict[str, Any]
) -> None:
    text = f'[[rule]]\nwhen = {when}\nreply = {{ say = "mine" }}\n'
    with EmbeddedServer(scenario=scenario(tmp_path, text)) as server:
        assert said(ask(server, **{"given": "hi", **hits})) == "mine"
        assert said(ask(server, **{"given": "hi", **misses})) != "mine"


@pytest.mark.parametrize(
    ("then", "texts"),
    [("last", "abbb"), ("first", "abab"), ("model", "ab--"), ("refuse", "ab!!")],
)
def test_a_rule_says_what_comes_after_its_replies(tmp_path: Path, then: str, texts: str) -> None:
    text = f'[[rule]]\nthen = "{then}"\nreply = [{{ say = "a" }}, {{ say = "b" }}]\n'
    seen = ""
    loaded = load_scenario(scenario(tmp_path, text))
    server = EmbeddedServer(scenario=loaded.rules)
    server.start()
    for _ in range(4):
        reply = ask(server, "hi")
        seen += "!" if reply.status_code == 418 else said(reply) if len(said(reply)) == 1 else "-"
    server.stop()

    assert seen == texts
    if then == "refuse":
        with pytest.raises(ExpectationError, match="has no further reply"):
            server.check()


def test_endpoints_other_than_responses_have_rules_too(tmp_path: Path) -> None:
    text = """
        [[rule]]
        when = { endpoint = "models" }
        reply = { status = 403, error = { message = "no", code = "blocked" }, retry_after = 3 }
        """
    with EmbeddedServer(scenario=scenario(tmp_path, text)) as server:
        refused = httpx2.get(f"{server.url}/models")
        assert said(ask(server, "hi"))

    assert (refused.status_code, refused.headers["retry-after"]) == (403, "3")
    assert refused.json()["error"]["code"] == "blocked"


def test_images_and_an_order_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    text = """
        [[rule]]
        [[rule.reply]]
        outputs = [
          { say = "First." },
          { image = { file = "a.png", prompt = "a cat" } },
          { call = { tool = "apply_patch", input = "*** Begin Patch" } },
          { refuse = "No more." },
        ]
        """
    with EmbeddedServer(scenario=scenario(tmp_path, text)) as server:
        output = events(ask(server, "hi"))[-1]["response"]["output"]

    kinds = ["message", "image_generation_call", "custom_tool_call", "message"]
    assert [each["type"] for each in output] == kinds
    assert (output[1]["result"], output[1]["revised_prompt"]) == ("iVBORw==", "a cat")
    assert output[2]["input"] == "*** Begin Patch"
    assert output[3]["content"][0]["refusal"] == "No more."


def test_raw_events_take_the_place_of_a_response(tmp_path: Path) -> None:
    text = '[[rule]]\nreply = { events = [{ type = "response.odd", x = 1 }] }\n'
    with EmbeddedServer(scenario=scenario(tmp_path, text)) as server:
        assert events(ask(server, "hi")) == [{"type": "response.odd", "x": 1}]


#: Arguments of faults that need some.
_VALUES: dict[str, dict[str, Any]] = {
    "close_frame": {"code": 1011},
    "comments_only": {"interval": 0.01},
    "dropped": {"types": ["response.created"]},
    "failed": {"code": "server_error"},
    "inject": {"event": {"type": "response.odd"}, "after": 1},
    "oversized": {"size": 10},
    "slow": {"interval": 0.0},
}


@pytest.mark.parametrize("name", [*NAMES, "inject"])
def test_every_fault_can_be_named(name: str) -> None:
    content = {"rule": [{"reply": {"faults": [{"name": name, "values": _VALUES.get(name, {})}]}}]}

    loaded = parse_scenario(json.dumps(content), Path("a.json"))

    assert loaded.content.rule[0].reply


def test_faults_strike_by_the_seed_and_not_by_the_order(tmp_path: Path) -> None:
    text = """
        seed = 3
        [chaos]
        faults = ["cut:after=3@0.5"]
        failures = [{ chance = 0.3, reply = { fail = "overloaded" } }]
        """
    path = scenario(tmp_path, text)

    def fates(order: list[int]) -> dict[int, int]:
        with EmbeddedServer(scenario=path) as server:
            found: dict[int, int] = {}
            for number in order:
                try:
                    reply = ask(server, f"question {number}")
                    found[number] = reply.status_code
                except httpx2.RemoteProtocolError:
                    found[number] = 0
        return found

    one = fates(list(range(20)))
    assert one == fates(list(reversed(range(20))))
    assert set(one.values()) == {0, 200, 503}


def test_a_delay_is_the_same_for_a_seed() -> None:
    from codex_api.testing.steps import Event, Pause, Step  # noqa: PLC0415 - for this test

    sent: list[Step] = [Event({"type": str(number)}) for number in range(3)]
    fault = faults.delayed(0.5, 0.1, spread=0.7, seed=4)

    waits = [step.seconds for step in fault(sent) if isinstance(step, Pause)]
    assert len(waits) == 3
    assert waits == [step.seconds for step in fault(sent) if isinstance(step, Pause)]
    assert [step for step in fault(sent) if isinstance(step, Event)] == sent


def test_what_is_expected_is_checked_when_the_server_ends(tmp_path: Path) -> None:
    text = WEATHER + '[[expect]]\nrule = "weather"\ntimes = 2\n[[expect]]\nat_most = 1\n'

    def run() -> None:
        with EmbeddedServer(scenario=scenario(tmp_path, text)) as server:
            ask(server, "the weather?")
            ask(server, "hello")

    with pytest.raises(ExpectationError) as caught:
        run()
    assert str(caught.value).splitlines() == [
        "expected 2 requests for rule 'weather', got 1",
        "expected at most 1 requests, got 2",
        "asked:",
        '  weather: POST /v1/responses gpt-5.1 "the weather?"',
        '  model: POST /v1/responses gpt-5.1 "hello"',
    ]


def test_settings_of_the_server_come_from_the_file(tmp_path: Path) -> None:
    text = """
        [server]
        api_keys = ["k"]
        models = ["mine"]
        [limits]
        requests_per_minute = 1
        [latency]
        first_event = 0.0
        """
    with EmbeddedServer(ServerSettings(deflate=False), scenario=scenario(tmp_path, text)) as server:
        key = {"authorization": "Bearer k"}
        assert ask(server, "hi").status_code == 401
        assert [ask(server, "hi", headers=key).status_code for _ in range(2)] == [200, 429]
        models = httpx2.get(f"{server.url}/models", headers=key).text
        assert "mine" in models
        assert server.state.settings.deflate is False


BROKEN = [
    ("seed = ", "seed = = 1", 2, ""),
    (
        '"weather" }',
        '"weather", trun = 1 }',
        6,
        "rule[0].when.trun: is no key; do you mean 'turn'?",
    ),
    ("times = 2", "turn = 2", 10, "rule[0].reply[0].turn: is no key here, but one of when"),
    ("times = 2", 'times = "x"', 10, "rule[0].reply[0].times: expected 'int', got 'str'"),
    ("times = 2", "times = 0", 10, "rule[0].reply[0].times: expected 'int' >= 1"),
    ("overloaded", "oveloaded", 9, "rule[0].reply[0].fail: invalid enum value 'oveloaded'"),
    ("times = 2", 'say = "x"', 10, "rule[0].reply[0].say: cannot stand beside a status"),
    ("times = 2", "body = {}", 0, ""),
    ("input_tokens = 5", "input_token = 5", 22, "rule[1].reply.usage.input_token: is no key"),
    ('tool = "get_weather", pie', 'name = "get_weather", pie', 14, "rule[0].reply[1].call.name"),
    ("\n[rule.reply]", "\n[rule.rply]", 20, "rule[1].rply: is no key; do you mean 'reply'?"),
    ("say = [", 'faults = ["ct"]\nsay = [', 21, "rule[1].reply.faults[0]: no fault 'ct'"),
    ("say = [", "image = { }\nsay = [", 21, "rule[1].reply.image: has to have file or base64"),
    (
        "say = [",
        'image = { file = "no.png" }\nsay = [',
        21,
        "rule[1].reply.image.file: cannot be read",
    ),
    ('"sun" }', '"sun", text_matches = "(" }', 18, "rule[1].when.text_matches: is no regular"),
    ("seed = 7", 'expect = [{ rule = "wether", times = 1 }]', 2, "expect[0].rule: no rule has"),
    ("seed = 7", "expect = [{ }]", 2, "expect[0]: has to have times, at_least or at_most"),
]


@pytest.mark.parametrize(("old", "new", "line", "told"), BROKEN)
def test_a_broken_file_is_told_with_its_line_and_key(
    tmp_path: Path, old: str, new: str, line: int, told: str
) -> None:
    assert old in WEATHER
    path = scenario(tmp_path, WEATHER.replace(old, new, 1))
    if not line:
        load_scenario(path)
        return

    with pytest.raises(ScenarioFileError) as caught:
        load_scenario(path)
    assert str(caught.value).startswith(f"{path}:{line}: {told}")


def test_a_broken_json_file_is_told_with_its_line_and_key() -> None:
    text = '{\n "rule": [\n  {"reply": {"say": "a"}},\n  {"reply":\n   {"sya": "b"}}\n ]\n}'

    with pytest.raises(ScenarioFileError, match=r"a\.json:5: rule\[1\]\.reply\.sya: is no key"):
        parse_scenario(text, Path("a.json"))
    with pytest.raises(ScenarioFileError, match=r"a\.json:2: "):
        parse_scenario('{\n "rule": [}', Path("a.json"))


def test_places_of_toml_are_found() -> None:
    text = """
# comment = 1
a.b = '''
x = 1
'''
[t]
list = [ 1, # one
  { k = "]" },
]
[[r]]
[[r.s]]
v = 1
[[r.s]]
v = 1979-05-27 07:32:00
[[r]]
"q.r" = { "s" = 1 }
"""
    found = lines_of(text, "toml")

    assert found[("a", "b")] == 3
    assert found[("t", "list", 1, "k")] == 8
    assert (found[("r", 0, "s", 1, "v")], found[("r", 1)]) == (14, 15)
    assert found[("r", 1, "q.r", "s")] == 16
    assert ("x",) not in found


@pytest.mark.parametrize("text", ["", "[", "[[", "a", "a =", "a = [", "a = {b", "{", '{"a":', "]"])
@pytest.mark.parametrize("kind", ["toml", "json"])
def test_places_of_what_is_no_file_do_not_hang(text: str, kind: Any) -> None:
    assert lines_of(text, kind)[()] == 1


def test_the_schema_is_published_as_it_is() -> None:
    """Written by: python -m codex_api.testing.scenario_format."""
    published = json.loads((PACKAGE / "scenario.schema.json").read_text())

    assert published == schema()
    assert "text_matches" in json.dumps(published)


def test_every_key_of_the_format_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "scenario-files.md").read_text()

    missing = {key for key in known_keys() if f"`{key}`" not in page} - {"$schema"}
    assert missing == set()


def test_the_files_of_the_documentation_can_be_read() -> None:
    page = (DOCS / "how-to" / "scenario-files.md").read_text()
    files = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    assert len(files) == 2
    for text in files:
        parse_scenario(text, Path("docs.toml"))


@pytest.mark.parametrize(("name", "before"), [("deep.json", ""), ("deep.toml", "a = ")])
def test_a_file_that_nests_too_deep_is_refused_by_its_name(name: str, before: str) -> None:
    with pytest.raises(ScenarioFileError, match=rf"{name}:1: is nested too deep"):
        parse_scenario(before + "[" * 100_000, Path(name))
