from __future__ import annotations

import pytest

from codex_api._logic.realtime.session_state import SessionState
from codex_api.types.realtime import TranscriptEntry
from codex_api.types.realtime_events import (
    ConversationItemDone,
    HandoffRequested,
    InputAudioSpeechStarted,
    InputTranscriptDelta,
    InputTranscriptDone,
    NoopRequested,
    OutputTranscriptDelta,
    OutputTranscriptDone,
    RealtimeEvent,
    ResponseCancelled,
    ResponseCreated,
    ResponseDone,
)


def user(text: str) -> TranscriptEntry:
    return TranscriptEntry("user", text)


def assistant(text: str) -> TranscriptEntry:
    return TranscriptEntry("assistant", text)


def told(*events: RealtimeEvent, max_transcript_chars: int = 1 << 20) -> SessionState:
    state = SessionState(max_transcript_chars=max_transcript_chars)
    for event in events:
        state.apply(event)
    return state


def handed_off(state: SessionState, text: str) -> HandoffRequested:
    event = state.apply(HandoffRequested("h", "i", text))
    assert isinstance(event, HandoffRequested)
    return event


def test_deltas_of_one_side_grow_one_turn() -> None:
    state = told(
        InputTranscriptDelta("he"), InputTranscriptDelta("llo"), OutputTranscriptDelta("hi")
    )

    assert state.transcript == (user("hello"), assistant("hi"))


def test_completed_text_replaces_the_turn() -> None:
    state = told(
        InputTranscriptDelta("helo"),
        InputTranscriptDone("hello"),
        OutputTranscriptDelta("h"),
        OutputTranscriptDone("hi"),
    )

    assert state.transcript == (user("hello"), assistant("hi"))


def test_completed_text_after_the_other_side_is_a_new_turn() -> None:
    state = told(InputTranscriptDelta("a"), OutputTranscriptDelta("b"), InputTranscriptDone("c"))

    assert state.transcript == (user("a"), assistant("b"), user("c"))


def test_speech_that_starts_opens_a_new_user_turn() -> None:
    state = told(
        InputTranscriptDelta("a"),
        InputAudioSpeechStarted(),
        InputTranscriptDelta("b"),
        InputTranscriptDelta("c"),
    )

    assert state.transcript == (user("a"), user("bc"))


def test_response_that_starts_opens_a_new_assistant_turn() -> None:
    state = told(
        OutputTranscriptDelta("a"),
        ResponseCreated("r"),
        OutputTranscriptDone("b"),
        OutputTranscriptDone("c"),
    )

    assert state.transcript == (assistant("a"), assistant("c"))


def test_a_second_item_of_one_turn_replaces_nothing_of_the_first() -> None:
    state = told(
        ResponseCreated("r"),
        OutputTranscriptDelta("Let me", "1", 0),
        OutputTranscriptDone("Let me see.", "1", 0),
        OutputTranscriptDelta("Do", "2", 0),
        OutputTranscriptDone("Done.", "2", 0),
        OutputTranscriptDone("Bye.", "2", 1),
    )

    assert state.transcript == (assistant("Let me see.\nDone.\nBye."),)


def test_what_a_user_said_is_completed_in_its_place_though_the_answer_began() -> None:
    state = told(
        InputAudioSpeechStarted("u"),
        InputTranscriptDelta("helo", "u"),
        ResponseCreated("r"),
        OutputTranscriptDelta("h", "a"),
        InputTranscriptDelta(" wo", "u"),
        InputTranscriptDone("hello world", "u"),
        OutputTranscriptDelta("i", "a"),
        OutputTranscriptDone("hi", "a"),
    )

    assert state.transcript == (user("hello world"), assistant("hi"))


def test_late_words_of_an_item_open_no_turn_for_the_next() -> None:
    state = told(
        InputTranscriptDelta("on", "1"),
        InputAudioSpeechStarted("2"),
        InputTranscriptDelta("e", "1"),
        InputTranscriptDelta("two", "2"),
    )

    assert state.transcript == (user("one"), user("two"))


def test_words_of_an_item_that_a_handoff_has_shown_are_new() -> None:
    state = told(OutputTranscriptDelta("one", "a"))
    handed_off(state, "")

    state.apply(OutputTranscriptDelta("two", "a"))

    assert state.take_transcript_tail() == (assistant("two"),)


@pytest.mark.parametrize(("first", "second"), [(None, "a"), ("a", None)])
def test_items_may_be_named_in_some_events_only(first: str | None, second: str | None) -> None:
    state = told(OutputTranscriptDelta("helo", first), OutputTranscriptDone("hello", second))

    assert state.transcript == (assistant("hello"),)


def test_empty_whole_text_of_an_item_takes_nothing_away() -> None:
    state = told(OutputTranscriptDelta("hi", "a"), OutputTranscriptDone("", "a"))

    assert state.transcript == (assistant("hi"),)


def test_many_items_of_one_side_are_bounded_as_turns_are() -> None:
    state = SessionState(max_transcript_chars=10_000)
    for number in range(5000):
        state.apply(OutputTranscriptDelta("x", str(number)))

    assert sum(len(entry.text) for entry in state.transcript) <= 20_000
    assert len(state.transcript) > 1


def test_endless_turn_of_named_items_keeps_its_end() -> None:
    state = SessionState(max_transcript_chars=1000)
    for number in range(100):
        state.apply(OutputTranscriptDelta(f"{number} " * 20, str(number)))

    [entry] = state.transcript

    assert len(entry.text) <= 1100
    assert entry.text.endswith("99 ")


def test_empty_text_adds_nothing_and_uses_up_the_new_turn() -> None:
    state = told(
        InputTranscriptDelta(""),
        InputTranscriptDelta("a"),
        InputAudioSpeechStarted(),
        InputTranscriptDelta(""),
        InputTranscriptDelta("b"),
        InputTranscriptDone(""),
    )

    assert state.transcript == (user("ab"),)


def test_other_events_leave_the_transcript_alone() -> None:
    state = told(InputTranscriptDelta("a"), ConversationItemDone("i"), NoopRequested("c", "i"))

    assert state.transcript == (user("a"),)


def test_handoff_carries_the_transcript_and_its_request() -> None:
    state = told(InputTranscriptDelta("please"), OutputTranscriptDelta("sure"))

    event = handed_off(state, "  build it ")

    assert event.input_transcript == "  build it "
    assert event.active_transcript == (user("please"), assistant("sure"), user("build it"))


def test_request_that_was_heard_already_is_not_added() -> None:
    state = told(InputTranscriptDelta("build "), InputTranscriptDelta("it "))

    assert handed_off(state, "build it").active_transcript == (user("build it "),)


def test_blank_request_is_not_added() -> None:
    assert handed_off(told(OutputTranscriptDelta("hm")), " ").active_transcript == (
        assistant("hm"),
    )


def test_second_handoff_shows_only_what_is_new() -> None:
    state = told(InputTranscriptDelta("one"))
    handed_off(state, "one")
    state.apply(InputTranscriptDelta("two"))

    event = handed_off(state, "two")

    assert event.active_transcript == (user("two"),)
    assert state.transcript == (user("one"), user("two"))


def test_same_request_made_twice_is_shown_twice() -> None:
    state = told(InputTranscriptDelta("again"))
    handed_off(state, "again")

    assert handed_off(state, "again").active_transcript == (user("again"),)


def test_transcript_tail_is_given_once() -> None:
    state = told(InputTranscriptDelta("a"))
    handed_off(state, "a")
    state.apply(OutputTranscriptDelta("b"))

    assert state.take_transcript_tail() == (assistant("b"),)
    assert state.take_transcript_tail() == ()


def test_text_after_the_tail_was_taken_is_not_lost_to_a_told_turn() -> None:
    state = told(OutputTranscriptDelta("b"))
    state.take_transcript_tail()
    state.apply(OutputTranscriptDelta("c"))

    assert state.take_transcript_tail() == (assistant("c"),)


def test_response_is_active_until_done_or_cancelled() -> None:
    assert told(ResponseCreated()).response_active
    assert not told(ResponseCreated(), ResponseDone()).response_active
    assert not told(ResponseCreated(), ResponseCancelled()).response_active


def test_restart_keeps_the_transcript_and_ends_turn_and_response() -> None:
    state = told(InputTranscriptDelta("a"), ResponseCreated())
    state.restart()
    state.apply(InputTranscriptDelta("b"))

    assert not state.response_active
    assert state.transcript == (user("a"), user("b"))


def test_oldest_turns_go_first_and_the_handoff_says_how_many() -> None:
    state = SessionState(max_transcript_chars=400)
    for number in range(10):
        state.apply(InputAudioSpeechStarted())
        state.apply(InputTranscriptDelta(f"turn {number}"))

    event = handed_off(state, "turn 9")

    assert event.active_transcript[-1] == user("turn 9")
    assert 0 < len(event.active_transcript) < 10
    assert event.dropped_entries == 10 - len(event.active_transcript)
    assert state.dropped_entries == event.dropped_entries


def test_turns_that_were_handed_off_are_not_missed() -> None:
    state = SessionState(max_transcript_chars=250)
    handed_off(state, "old " * 20)
    state.apply(InputTranscriptDelta("new " * 20))
    event = handed_off(state, "new")

    assert event.dropped_entries == 0
    assert state.dropped_entries == 1


def test_endless_turn_keeps_its_end() -> None:
    state = SessionState(max_transcript_chars=1000)
    for number in range(2000):
        state.apply(OutputTranscriptDelta(f"{number} "))

    [entry] = state.transcript

    assert len(entry.text) <= 1000
    assert entry.text.endswith("1998 1999 ")
