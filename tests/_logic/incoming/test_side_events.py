from __future__ import annotations

import msgspec
import pytest

from codex_api import events
from codex_api._logic.incoming.side_events import SideChannel
from codex_api.transport._core.headers import Headers
from codex_api.types.turn_state import TurnState


class Reader:
    def __init__(self, headers: dict[str, str] | None = None) -> None:
        self.turn_state = TurnState()
        self.channel = SideChannel(self.turn_state, None if headers is None else Headers(headers))

    def __call__(self, tag: str = "response.any", **fields: object) -> list[object]:
        raws = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
        return list(self.channel.read(tag, raws))


@pytest.mark.parametrize("name", ["openai-model", "OpenAI-Model", "X-OpenAI-Model"])
def test_model_is_read_from_top_level_headers(name: str) -> None:
    assert Reader()(headers={name: "m"}) == [events.ServerModel("m")]


def test_headers_of_the_response_win_over_top_level_ones() -> None:
    reader = Reader()

    found = reader(
        response={"headers": {"openai-model": "inner"}}, headers={"openai-model": "outer"}
    )

    assert found == [events.ServerModel("inner")]
    assert reader.channel.server_model == "inner"


@pytest.mark.parametrize(
    "inner", [None, {}, 5, {"openai-model": 5}, {"openai-model": []}, {"openai-model": [[5]]}]
)
def test_top_level_headers_count_when_those_of_the_response_name_no_model(inner: object) -> None:
    found = Reader()(response={"headers": inner}, headers={"openai-model": "outer"})

    assert found == [events.ServerModel("outer")]


@pytest.mark.parametrize("value", ["m", ["m", "n"], [["m"], "n"]])
def test_header_may_be_a_list_of_lists(value: object) -> None:
    assert Reader()(headers={"openai-model": value}) == [events.ServerModel("m")]


def test_other_headers_name_no_model() -> None:
    assert Reader()(headers={"x-other": "m", "openai-organization": "o"}) == []


def test_a_header_that_is_no_text_is_passed_over() -> None:
    found = Reader()(headers={"openai-model": 5, "x-openai-model": "m"})

    assert found == [events.ServerModel("m")]


def test_metadata_without_a_turn_state_leaves_room_for_one() -> None:
    reader = Reader()

    reader("response.metadata", headers={"x-codex-turn-state": 5})
    reader("response.metadata", headers={"x-codex-turn-state": "later"})

    assert reader.turn_state.get() == "later"


def test_model_is_told_again_only_when_it_changes() -> None:
    reader = Reader()

    told = [reader(headers={"openai-model": name}) for name in ("a", "a", "b", "a")]

    assert told == [
        [events.ServerModel("a")],
        [],
        [events.ServerModel("b")],
        [events.ServerModel("a")],
    ]


def test_model_of_the_payload_is_ignored() -> None:
    assert Reader()(response={"model": "m"}) == []


def test_response_id_is_remembered() -> None:
    reader = Reader()
    reader(response={"id": "resp_1"})
    reader(response={"id": 5})
    reader(response=None)

    assert reader.channel.response_id == "resp_1"


def metadata(**values: object) -> list[object]:
    return Reader()("response.metadata", metadata=values)


def test_known_verification_is_told() -> None:
    found = metadata(openai_verification_recommendation=["trusted_access_for_cyber"])

    assert found == [events.ModelVerifications([events.ModelVerification.TRUSTED_ACCESS_FOR_CYBER])]


def test_unknown_verification_is_dropped() -> None:
    assert metadata(openai_verification_recommendation=["brand_new", 5, None]) == []


def test_verification_that_is_no_list_is_dropped() -> None:
    assert metadata(openai_verification_recommendation="trusted_access_for_cyber") == []


def test_repeated_verification_is_told_once() -> None:
    found = metadata(openai_verification_recommendation=["trusted_access_for_cyber", "new"] * 2)

    assert len(found) == 1
    assert isinstance(found[0], events.ModelVerifications)
    assert len(found[0].verifications) == 1


@pytest.mark.parametrize("value", [{"a": [1]}, "text", None, 5, []])
def test_moderation_metadata_is_any_json(value: object) -> None:
    found = metadata(openai_chatgpt_moderation_metadata=value)

    assert found == [events.TurnModerationMetadata(value)]


def test_verification_comes_before_moderation() -> None:
    found = metadata(
        openai_chatgpt_moderation_metadata=1,
        openai_verification_recommendation=["trusted_access_for_cyber"],
    )

    kinds = [type(event) for event in found]
    assert kinds == [events.ModelVerifications, events.TurnModerationMetadata]


def test_metadata_counts_only_on_its_own_event() -> None:
    assert Reader()("response.created", metadata={"openai_chatgpt_moderation_metadata": 1}) == []


def test_metadata_that_is_no_object_is_ignored() -> None:
    assert Reader()("response.metadata", metadata=[1]) == []


def test_turn_state_of_a_metadata_event_is_kept_the_first_time() -> None:
    reader = Reader()

    reader("response.created", headers={"x-codex-turn-state": "no"})
    reader("response.metadata", headers={"X-Codex-Turn-State": ["first"]})
    reader("response.metadata", headers={"x-codex-turn-state": "second"})

    assert reader.turn_state.get() == "first"


BUFFERING = {"use_cases": ["cyber"], "reasons": ["policy"]}


def test_every_safety_notice_is_told_in_order() -> None:
    reader = Reader()

    found = [
        *reader("response.in_progress", safety_buffering=BUFFERING),
        *reader("response.output_text.delta", safety_buffering={"use_cases": ["bio"]}),
    ]

    assert found == [
        events.SafetyBuffering(["cyber"], ["policy"]),
        events.SafetyBuffering(["bio"], []),
    ]


@pytest.mark.parametrize(
    ("retry", "model"),
    [({}, "header"), ({"retry_model": None}, None), ({"retry_model": "named"}, "named")],
)
def test_named_model_wins_over_the_header_s(retry: dict[str, object], model: str | None) -> None:
    reader = Reader({"x-codex-safety-buffering-faster-model": "header"})

    assert reader(safety_buffering={**BUFFERING, **retry}) == [
        events.SafetyBuffering(["cyber"], ["policy"], faster_model=model)
    ]


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_enabled_header_changes_nothing_about_the_notice(enabled: str) -> None:
    reader = Reader(
        {
            "x-codex-safety-buffering-enabled": enabled,
            "x-codex-safety-buffering-faster-model": "fast",
        }
    )

    (event,) = reader(safety_buffering=BUFFERING)
    assert isinstance(event, events.SafetyBuffering)
    assert (event.show_buffering_ui, event.faster_model) == (True, "fast")


def test_notice_before_the_event_with_the_header_knows_no_model() -> None:
    reader = Reader()
    header = {"x-codex-safety-buffering-faster-model": "fast"}

    before = reader(safety_buffering=BUFFERING)
    reader(headers=header)
    after = reader(safety_buffering=BUFFERING)

    assert before == [events.SafetyBuffering(["cyber"], ["policy"])]
    assert after == [events.SafetyBuffering(["cyber"], ["policy"], faster_model="fast")]


@pytest.mark.parametrize("value", [False, None, "yes", [], {"use_cases": "cyber"}])
def test_anything_but_a_readable_object_is_no_notice(value: object) -> None:
    assert Reader()(safety_buffering=value) == []


def test_model_is_told_before_the_notice() -> None:
    found = Reader()(safety_buffering=BUFFERING, headers={"openai-model": "m"})

    assert [type(event) for event in found] == [events.ServerModel, events.SafetyBuffering]
