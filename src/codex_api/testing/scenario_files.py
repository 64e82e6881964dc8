"""Scenario files: how an embedded server answers, in TOML or JSON, for programs in any language.

`codex_api.testing.scenario_format` is the format, and ``scenario.schema.json`` in this package its
JSON schema. A file that is not of it is refused with file, line and key.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import msgspec

from codex_api.testing.matching import Match
from codex_api.testing.rules import Chaos, Expectation, Rule, Rules
from codex_api.testing.scenario_format import ScenarioFile, known_keys
from codex_api.testing.scenario_replies import ReplyReader
from codex_api.testing.source_lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_api.testing.scenario_format import (
        ChaosTable,
        Expect,
        RuleTable,
        When,
    )
    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server import ServerSettings
    from codex_api.testing.source_lines import Path as Place

_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")
_PLACE = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[(?:\.\.\.)\]")


class ScenarioFileError(ValueError):
    """A scenario file cannot be used; the text names file, line and key."""


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """What a scenario file says.

    Attributes:
        rules: With the counts of one server: load the file again for another one.
    """

    name: str
    rules: Rules
    content: ScenarioFile

    def settings(self, given: ServerSettings) -> ServerSettings:
        """Return ``given`` with what the file sets."""
        from codex_api.testing.server import Latency, Limits  # noqa: PLC0415 - extra

        changes: dict[str, Any] = {}
        table = self.content.server
        if table.api_keys is not None:
            changes["api_keys"] = frozenset(table.api_keys)
        if table.models is not None:
            changes["models"] = tuple(table.models)
        if table.rate_limit_headers is not None:
            changes["rate_limits"] = table.rate_limit_headers
        if self.content.limits is not None:
            changes["limits"] = Limits(**msgspec.structs.asdict(self.content.limits))
        if self.content.latency is not None:
            values = msgspec.structs.asdict(self.content.latency)
            changes["latency"] = Latency(**values, seed=self.content.seed)
        return replace(given, **changes)


def load_scenario(path: Path, seed: int | None = None) -> LoadedScenario:
    """Read a scenario file; one that ends in ``.json`` is JSON, any other TOML.

    Args:
        seed: Takes the place of the one in the file.

    Raises:
        ScenarioFileError: It is not of the format.
        OSError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        told = f"{path}:1: the file is not UTF-8"
        raise ScenarioFileError(told) from exc
    return parse_scenario(text, path, seed)


def parse_scenario(text: str, path: Path, seed: int | None = None) -> LoadedScenario:
    """Read the text of a scenario file.

    Args:
        path: Names the file in messages; files that it names are looked for beside it.
        seed: Takes the place of the one in the file.

    Raises:
        ScenarioFileError: It is not of the format.
    """
    return _Reader(text, path).read(seed)


class _Reader:
    def __init__(self, text: str, path: Path) -> None:
        self._text, self._path = text, path
        self._replies = ReplyReader(self._complain, path.parent)
        self._kind: Literal["toml", "json"] = "json" if path.suffix == ".json" else "toml"

    def read(self, seed: int | None) -> LoadedScenario:
        content = self._content()
        if seed is not None:
            content = msgspec.structs.replace(content, seed=seed)
        rules = [self._rule(each, ("rule", at)) for at, each in enumerate(content.rule)]
        names = {each.name for each in rules}
        expected = [
            self._expectation(each, names, ("expect", at)) for at, each in enumerate(content.expect)
        ]
        chaos = None if content.chaos is None else self._chaos(content.chaos, content.seed)
        made = Rules(
            rules,
            otherwise=content.otherwise,
            chaos=chaos,
            expectations=expected,
            seed=content.seed,
        )
        return LoadedScenario(self._path.name, made, content)

    def _content(self) -> ScenarioFile:
        try:
            value = json.loads(self._text) if self._kind == "json" else tomllib.loads(self._text)
        except json.JSONDecodeError as exc:
            self._refuse(exc.lineno, "", exc.msg)
        except tomllib.TOMLDecodeError as exc:
            told = re.search(r"line (\d+)", str(exc))
            line = int(told[1]) if told else self._text.count("\n") + 1
            self._refuse(line, "", str(exc).partition(" (at ")[0])
        except RecursionError:
            self._refuse(1, "", "is nested too deep to be read")
        try:
            return msgspec.convert(value, ScenarioFile)
        except msgspec.ValidationError as exc:
            self._complain(*_understood(str(exc)))

    def _complain(self, place: Place, message: str) -> NoReturn:
        """Refuse the file for what stands at a place."""
        lines = lines_of(self._text, self._kind)
        near = place
        while near not in lines:
            near = near[:-1]
        self._refuse(lines[near], _named(place), message)

    def _refuse(self, line: int, key: str, message: str) -> NoReturn:
        told = f"{self._path}:{line}: {key}{': ' if key else ''}{message}"
        raise ScenarioFileError(told)

    def _rule(self, table: RuleTable, place: Place) -> Rule:
        listed = table.reply if isinstance(table.reply, list) else [table.reply]
        if not listed:
            self._complain((*place, "reply"), "has no reply")
        replies: list[Scenario | Callable[[int], Scenario]] = []
        for at, each in enumerate(listed):
            inner: Place = ("reply", at) if isinstance(table.reply, list) else ("reply",)
            replies += [self._replies.reply(each, (*place, *inner))] * each.times
        match = self._match(table.when, (*place, "when"))
        return Rule(replies=tuple(replies), match=match, name=table.name, then=table.then)

    def _match(self, when: When, place: Place) -> Match:
        for key in ("text", "tool_output"):
            if getattr(when, key) is not None and getattr(when, f"{key}_matches") is not None:
                self._complain((*place, key), f"cannot stand beside {key}_matches")
        return Match(
            endpoint=when.endpoint,
            model=when.model,
            text=self._pattern(when.text, when.text_matches, (*place, "text_matches")),
            tool=when.tool,
            tool_output=self._pattern(
                when.tool_output, when.tool_output_matches, (*place, "tool_output_matches")
            ),
            turn=when.turn,
            headers=when.headers,
        )

    def _pattern(
        self, text: str | None, pattern: str | None, place: Place
    ) -> str | re.Pattern[str] | None:
        if pattern is None:
            return text
        try:
            return re.compile(pattern)
        except re.error as exc:
            self._complain(place, f"is no regular expression: {exc}")

    def _chaos(self, table: ChaosTable, seed: int) -> Chaos:
        failures: list[tuple[float, Scenario]] = []
        for at, each in enumerate(table.failures):
            place: Place = ("chaos", "failures", at, "reply")
            failures.append((each.chance, self._replies.reply(each.reply, place)(seed)))
        return Chaos(
            faults=self._replies.faults(table.faults, ("chaos", "faults")),
            failures=tuple(failures),
            endpoint=table.endpoint,
        )

    def _expectation(self, expect: Expect, names: set[str], place: Place) -> Expectation:
        if expect.rule is not None and expect.rule not in names:
            near = difflib.get_close_matches(expect.rule, names, 1)
            hint = f"; do you mean {near[0]!r}?" if near else ""
            self._complain((*place, "rule"), f"no rule has the name {expect.rule!r}{hint}")
        bounds = (expect.at_least, expect.at_most)
        if expect.times is None and bounds == (None, None):
            self._complain(place, "has to have times, at_least or at_most")
        if expect.times is not None and bounds != (None, None):
            self._complain((*place, "times"), "cannot stand beside at_least and at_most")
        low, high = bounds if expect.times is None else (expect.times, expect.times)
        match = self._match(expect.when, (*place, "when"))
        return Expectation(rule=expect.rule, match=match, at_least=low, at_most=high)


def _understood(message: str) -> tuple[Place, str]:
    """Split a message of the decoder into a place and words."""
    found = _PLACE.match(message)
    assert found is not None  # noqa: S101 - it matches any text
    told, where = found[1], found[2] or ""
    place: list[str | int] = [
        name or (int(number) if number else "...") for name, number in _STEP.findall(where)
    ]
    unknown = _UNKNOWN.match(told)
    if unknown is None:
        return tuple(place), told[:1].lower() + told[1:].replace("`", "'")
    place.append(unknown[1])
    known = known_keys()
    if unknown[1] in known:
        return tuple(place), f"is no key here, but one of {' and '.join(known[unknown[1]])}"
    near = difflib.get_close_matches(unknown[1], known, 1)
    return tuple(place), f"is no key{f'; do you mean {near[0]!r}?' if near else ''}"


def _named(place: Place) -> str:
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place)
    return text.lstrip(".")
