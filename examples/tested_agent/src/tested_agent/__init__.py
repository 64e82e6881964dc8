"""Reads a report of a bug and says who should look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codex_api import Client, Provider, ResponsesApiRequest, TextControls

if TYPE_CHECKING:
    from codex_api import AuthProvider

__all__ = ["Verdict", "triage"]


@dataclass
class Verdict:
    """Who should look at a report, and why."""

    team: Literal["client", "server", "docs"]
    urgency: int
    reason: str


def triage(report: str, *, auth: AuthProvider | None = None) -> Verdict:
    """Ask the model about a report; the provider is that of the environment."""
    request = ResponsesApiRequest(
        model="gpt-5.1-codex",
        instructions="Decide which team has to look at the report.",
        input=report,
        text=TextControls.for_type(Verdict),
    )
    with Client(Provider.load("openai"), auth=auth) as client:
        return client.responses.stream(request).collect().parse(Verdict)
