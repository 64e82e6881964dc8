"""Servers and faults for tests of programs that speak the Responses API.

`ScriptedServer` plays bytes and needs nothing beyond the core install; `EmbeddedServer` is a whole
server with a small deterministic model and needs the extra ``codex-api[server]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._imports import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api.testing.builders import call, call_custom, draw, refuse, say, think
    from codex_api.testing.gate import Gate
    from codex_api.testing.matching import Match
    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.rules import Chaos, Expectation, ExpectationError, Rule, Rules
    from codex_api.testing.scenario_files import ScenarioFileError
    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.scripted import ScriptedServer
    from codex_api.testing.server import Charge, EmbeddedServer, Latency, Limits, ServerSettings

__all__ = [
    "Chaos",
    "Charge",
    "EmbeddedServer",
    "Expectation",
    "ExpectationError",
    "Gate",
    "Latency",
    "Limits",
    "Match",
    "RecordedRequest",
    "Rule",
    "Rules",
    "Scenario",
    "ScenarioFileError",
    "ScriptedServer",
    "ServerSettings",
    "call",
    "call_custom",
    "draw",
    "refuse",
    "say",
    "think",
]

__getattr__: Lookup = lazy_attributes(
    __name__,
    {
        "Chaos": "rules",
        "Charge": "server",
        "EmbeddedServer": "server",
        "Expectation": "rules",
        "ExpectationError": "rules",
        "Gate": "gate",
        "Latency": "server",
        "Limits": "server",
        "Match": "matching",
        "RecordedRequest": "recording",
        "Rule": "rules",
        "Rules": "rules",
        "Scenario": "scenarios",
        "ScenarioFileError": "scenario_files",
        "ScriptedServer": "scripted",
        "ServerSettings": "server",
        "call": "builders",
        "call_custom": "builders",
        "draw": "builders",
        "refuse": "builders",
        "say": "builders",
        "think": "builders",
    },
)
