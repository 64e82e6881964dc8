"""Timelines as one page of HTML that needs nothing else: no network, no other file.

What was recorded goes into the page as JSON and is shown as text: it cannot become part of the
page.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from codex_api.testing.passages import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.testing.lanes import Lane

_PLACE = '<script type="application/json" id="data">{}</script>'
_MOST_NAMES = 3


def page(lanes: Sequence[Lane]) -> str:
    """Return the page that draws ``lanes``."""
    template = files("codex_api.testing").joinpath("timeline.html").read_text(encoding="utf-8")
    shown = {
        "sources": list(dict.fromkeys(lane.source for lane in lanes)),
        "timed": all(lane.is_timed for lane in lanes),
        "cards": _cards(lanes),
        "lanes": [_lane(number, lane) for number, lane in enumerate(lanes, start=1)],
    }
    # No text can end the element, nor begin another one.
    data = (
        json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    )
    before, found, after = template.partition(_PLACE)
    assert found  # noqa: S101 - the page is ours
    return before + _PLACE.replace("{}", data) + after


def facts(lane: Lane) -> list[str]:
    """Return what is to be said of a lane beside its outcome."""
    told: list[str] = []
    if lane.is_timed:
        told.append(duration(lane.seconds))
    if lane.first_event is not None and _is_stream(lane):
        told.append(f"first event {duration(lane.first_event)}")
    count = len(lane.answered)
    if count > 1:
        told.append(f"{count} events")
    if lane.tokens_per_second is not None:
        told.append(f"{lane.tokens_per_second:.0f} tokens/s")
    if lane.gaps:
        told.append(f"longest gap {duration(max(gap.seconds for gap in lane.gaps))}")
    if lane.tool_calls:
        more = f" and {len(lane.tool_calls) - _MOST_NAMES} more"
        names = ", ".join(lane.tool_calls[:_MOST_NAMES])
        told.append(f"calls {names}{more if len(lane.tool_calls) > _MOST_NAMES else ''}")
    if lane.retry_of is not None:
        told.append(f"retry of #{lane.retry_of + 1}")
    return told


def name(lane: Lane) -> str:
    """Return what a lane is called."""
    return " ".join(filter(None, [lane.method, lane.path, lane.model])) or lane.source


def _lane(number: int, lane: Lane) -> dict[str, Any]:
    return {
        "name": f"#{number}  {name(lane)}",
        "asked": lane.asked,
        "began": round(lane.began, 4),
        "seconds": round(lane.seconds, 4),
        "timed": lane.is_timed,
        "outcome": lane.outcome,
        "good": lane.is_good,
        # Lines break behind the dots only.
        "facts": "\u00a0· ".join(each.replace(" ", "\u00a0") for each in facts(lane)),
        "gaps": [[round(gap.at, 4), round(gap.seconds, 4)] for gap in lane.gaps],
        "marks": [[mark.at, mark.kind, mark.family, mark.text, mark.data] for mark in lane.marks],
    }


def _is_stream(lane: Lane) -> bool:
    return len(lane.marks) > 1  # what comes whole is one mark


def _cards(lanes: Sequence[Lane]) -> list[tuple[str, str]]:
    firsts = sorted(
        lane.first_event for lane in lanes if lane.first_event is not None and _is_stream(lane)
    )
    paces = sorted(pace for lane in lanes if (pace := lane.tokens_per_second) is not None)
    longest = max((gap.seconds for lane in lanes for gap in lane.gaps), default=None)
    cards = [
        (str(len(lanes)), "stream" if len(lanes) == 1 else "streams"),
        (str(sum(lane.is_good for lane in lanes)), "complete"),
        (str(sum(lane.retry_of is not None for lane in lanes)), "retries"),
        (str(sum(len(lane.answered) for lane in lanes)), "events"),
    ]
    if firsts:
        cards.append((duration(firsts[len(firsts) // 2]), "median first event"))
    if longest is not None:
        cards.append((duration(longest), "longest gap"))
    if paces:
        cards.append((f"{paces[len(paces) // 2]:.0f}", "tokens/s, median"))
    calls = sum(len(lane.tool_calls) for lane in lanes)
    return [*cards, (str(calls), "tool calls")] if calls else cards
