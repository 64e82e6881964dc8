"""The pictures of the documentation are those that the code gives."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from codex_api.testing.cassettes import load
from docs import data_flow, observed_states, state_diagram, timeline

IMAGES = Path(__file__).parents[1] / "docs" / "images"


@pytest.mark.parametrize("diagram", state_diagram.DIAGRAMS, ids=lambda diagram: diagram.name)
def test_a_state_diagram_shows_what_the_machine_does(diagram: state_diagram.Diagram) -> None:
    assert diagram.path.read_text() == diagram.picture(), "run python -m docs.state_diagram"


def test_the_data_flow_names_what_there_is() -> None:
    assert data_flow.PICTURE.read_text() == data_flow.picture(), "run python -m docs.data_flow"


def test_a_name_that_is_gone_is_noticed() -> None:
    with pytest.raises(LookupError, match="has no Gone"):
        data_flow.layer_of(data_flow.Box("Gone", "", 0, "codex_api.transport"))


def test_the_timeline_is_that_of_the_recorded_streams() -> None:
    assert timeline.PICTURE.read_text() == timeline.picture(), "run python -m docs.timeline"


def test_the_recorded_streams_show_what_is_said_of_them() -> None:
    whole, stalled = load(timeline.RECORDED)

    assert whole.is_whole
    assert not stalled.is_whole
    assert stalled.ending == "left"
    comments = [each for each in stalled.chunks if each.data.startswith(b":")]
    assert len(comments) > 3


def test_each_state_is_reached_and_each_that_is_no_end_is_left() -> None:
    for moves in (
        observed_states.response_stream(),
        observed_states.stream_object(),
        observed_states.call(),
        observed_states.http1_answer(),
    ):
        starts = {start for start, _ in moves}
        ends = {end for _, end in moves}
        assert len(starts - ends) <= 1  # where it begins


def test_a_state_without_a_place_is_noticed() -> None:
    lacking = state_diagram.Diagram("x", lambda: {("a", "b"): ["c"]}, (1, 1), {"a": (0, 0)})

    with pytest.raises(KeyError):
        lacking.picture()


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_is_xml_that_loads_nothing(path: Path) -> None:
    root = ET.fromstring(path.read_text())  # noqa: S314 - our own file

    assert root.tag.endswith("svg")
    names = {name for each in root.iter() for name in each.attrib}
    assert not {name for name in names if "href" in name or name.startswith("on")}
