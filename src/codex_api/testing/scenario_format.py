"""The format of scenario files, as values; its JSON schema is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

_Probability = Annotated[float, Meta(ge=0, le=1)]
_Seconds = Annotated[float, Meta(ge=0)]
_Count = Annotated[int, Meta(ge=1)]
_Number = Annotated[int, Meta(ge=0)]
_Pace = Annotated[float, Meta(gt=0)]
_Status = Annotated[int, Meta(ge=200, le=599)]


class Part(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table; keys that it does not have are refused."""


class When(Part, frozen=True):
    """Which requests a rule is for; what is not given is not looked at."""

    endpoint: Annotated[
        str | None,
        Meta(
            description="Path below the base, such as responses, models or responses/compact; "
            "websocket is the handshake of one. Default: responses."
        ),
    ] = None
    model: Annotated[str | None, Meta(description="Name of the model; * is any text.")] = None
    text: Annotated[
        str | None, Meta(description="Has to be in what the user said last, whatever its case.")
    ] = None
    text_matches: Annotated[
        str | None, Meta(description="Regular expression found in what the user said last.")
    ] = None
    tool: Annotated[
        str | None, Meta(description="Name of a tool whose output the conversation ends with.")
    ] = None
    tool_output: Annotated[
        str | None, Meta(description="Has to be in such an output, whatever its case.")
    ] = None
    tool_output_matches: Annotated[
        str | None, Meta(description="Regular expression found in such an output.")
    ] = None
    turn: Annotated[
        _Count | None,
        Meta(description="How often the user has spoken by now; 1 is the first question."),
    ] = None
    headers: Annotated[dict[str, str], Meta(description="Values of headers; * is any text.")] = {}


class Call(Part, frozen=True):
    """A call of a tool."""

    tool: Annotated[str, Meta(description="Its name.")]
    arguments: Annotated[
        dict[str, Any] | str | None, Meta(description="Of a function, or a text as it is sent.")
    ] = None
    input: Annotated[str | None, Meta(description="Of a custom tool, in place of arguments.")] = (
        None
    )
    pieces: Annotated[
        list[str] | None, Meta(description="The deltas of the arguments or input one by one.")
    ] = None
    namespace: str | None = None


class Image(Part, frozen=True):
    """An image that the model drew."""

    file: Annotated[str | None, Meta(description="Relative to the scenario file.")] = None
    base64: str | None = None
    prompt: str | None = None


class Output(Part, frozen=True):
    """One thing that is put out: exactly one key."""

    say: str | list[str] | None = None
    refuse: str | None = None
    think: str | list[str] | None = None
    call: Call | None = None
    image: Image | None = None


class Delay(Part, frozen=True):
    """Waits in seconds, by the seed."""

    first: Annotated[_Seconds, Meta(description="Median before the first event.")] = 0.0
    each: Annotated[_Seconds, Meta(description="Median before every other event.")] = 0.0
    spread: Annotated[
        float,
        Meta(ge=0, description="0 is always the median; 0.7 often twice or half; 1 a long tail."),
    ] = 0.0


class Usage(Part, frozen=True):
    """Counts of tokens in place of what was counted."""

    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    total_tokens: int | None = None


class FaultTable(Part, frozen=True):
    """A fault by its name, as codex_api.testing.faults has them."""

    name: str
    chance: Annotated[_Probability, Meta(description="How likely it strikes.")] = 1.0
    values: Annotated[
        dict[str, Any], Meta(description="Its arguments, such as after, how or code.")
    ] = {}


class Reply(Part, frozen=True):
    """One answer. What is put out comes in the order think, say, refuse, call, image."""

    say: Annotated[
        str | list[str] | None, Meta(description="A message; a list gives its deltas one by one.")
    ] = None
    refuse: Annotated[str | None, Meta(description="A refusal.")] = None
    think: Annotated[
        str | list[str] | None, Meta(description="Reasoning; a list gives parts of its summary.")
    ] = None
    call: Annotated[Call | list[Call] | None, Meta(description="Calls of tools.")] = None
    image: Image | None = None
    outputs: Annotated[
        list[Output] | None, Meta(description="Several of them in an order of your own.")
    ] = None
    events: Annotated[
        list[dict[str, Any]] | None, Meta(description="Raw events in place of all of these.")
    ] = None
    usage: Usage | None = None
    headers: dict[str, str] = {}
    without_headers: Annotated[list[str], Meta(description="Headers to leave out.")] = []
    delay: Delay | None = None
    faults: Annotated[
        list[str | FaultTable],
        Meta(description="Such as cut:after=3,how=reset, with @0.1 behind it for one in ten."),
    ] = []
    status: Annotated[
        _Status | None, Meta(description="A whole answer in place of a response.")
    ] = None
    error: Annotated[
        dict[str, Any] | None, Meta(description="Its error object: message, type, code, ...")
    ] = None
    body: Annotated[
        dict[str, Any] | str | None, Meta(description="Its body, where it is no error.")
    ] = None
    fail: Annotated[
        Literal[
            "rate_limited", "overloaded", "usage_limit_reached", "html_page", "upgrade_required"
        ]
        | None,
        Meta(description="A whole answer by its name."),
    ] = None
    retry_after: Annotated[
        _Seconds | None, Meta(description="Seconds, as a header of an answer with a status.")
    ] = None
    times: Annotated[_Count, Meta(description="Give it so many times in a row.")] = 1


class RuleTable(Part, frozen=True):
    """How requests of one kind are answered."""

    reply: Annotated[
        Reply | list[Reply],
        Meta(description="The first such request gets the first, and so on."),
    ]
    name: str = ""
    when: When = When()
    then: Annotated[
        Literal["last", "first", "model", "refuse"],
        Meta(
            description="What further requests get: the last reply, all of them from the first "
            "on, an answer of the model, or a refusal."
        ),
    ] = "last"


class Failure(Part, frozen=True):
    """A whole answer that is given by chance."""

    chance: _Probability
    reply: Reply


class ChaosTable(Part, frozen=True):
    """What goes wrong by chance, whoever answers."""

    faults: list[str | FaultTable] = []
    failures: list[Failure] = []
    endpoint: str = "responses"


class Expect(Part, frozen=True):
    """How often something has to be asked."""

    rule: Annotated[
        str | None, Meta(description="Requests that the rule of this name answered.")
    ] = None
    when: When = When()
    times: _Number | None = None
    at_least: _Number | None = None
    at_most: _Number | None = None


class LimitsTable(Part, frozen=True):
    """Limits of each model that are enforced with 429, and an overload cap."""

    requests_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None
    burst_requests: _Count | None = None
    burst_tokens: _Count | None = None
    concurrent: _Count | None = None


class LatencyTable(Part, frozen=True):
    """How long responses take."""

    first_event: Annotated[_Seconds, Meta(description="Median, in seconds.")] = 0.0
    tokens_per_second: Annotated[_Pace | None, Meta(description="Median.")] = None
    spread: Annotated[float, Meta(ge=0)] = 0.0


class ServerTable(Part, frozen=True):
    """Settings of the server."""

    api_keys: list[str] | None = None
    models: list[str] | None = None
    rate_limit_headers: bool | None = None


class ScenarioFile(Part, frozen=True):
    """How an embedded server of codex-api answers."""

    schema: Annotated[str | None, Meta(description="For editors.")] = msgspec.field(
        default=None, name="$schema"
    )
    seed: Annotated[int, Meta(description="Of all that is left to chance.")] = 0
    rule: Annotated[
        list[RuleTable], Meta(description="The first that fits a request answers it.")
    ] = []
    otherwise: Annotated[
        Literal["model", "refuse"],
        Meta(description="What requests for responses get that no rule fits."),
    ] = "model"
    chaos: ChaosTable | None = None
    expect: Annotated[list[Expect], Meta(description="Looked at when the server stops.")] = []
    limits: LimitsTable | None = None
    latency: LatencyTable | None = None
    server: ServerTable = ServerTable()


def schema() -> dict[str, Any]:
    """Return the JSON schema of the format."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    made = msgspec.json.schema(ScenarioFile)
    return {"$schema": dialect, "title": "Scenario of codex-api serve", **made}


def known_keys() -> dict[str, list[str]]:
    """Return all keys of the format, and for each the tables that have it."""
    found: dict[str, list[str]] = {}
    for part in Part.__subclasses__():
        table = part.__name__.removesuffix("Table").removeprefix("Scenario").lower()
        for name in part.__struct_encode_fields__:
            found.setdefault(name, []).append(table)
    return found


def main() -> None:
    """Write the published schema into this package."""
    path = Path(__file__).with_name("scenario.schema.json")
    path.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
