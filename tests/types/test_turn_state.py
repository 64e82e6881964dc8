from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from codex_api.types.turn_state import TurnState


def test_the_first_value_stays() -> None:
    state = TurnState()

    assert state.get() is None
    assert state.offer("a") is True
    assert state.offer("b") is False
    assert state.get() == "a"


def test_the_same_value_offered_again_is_not_taken_again() -> None:
    state = TurnState()
    value = "v" * 3

    assert [state.offer(value), state.offer(value)] == [True, False]


def test_a_value_can_be_given_at_once() -> None:
    assert TurnState("a").get() == "a"


def test_one_of_many_threads_sets_it() -> None:
    barrier = Barrier(8)
    state = TurnState()

    def offer(index: int) -> bool:
        barrier.wait()
        return state.offer(str(index))

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(offer, range(8)))

    assert taken.count(True) == 1
    assert state.get() == str(taken.index(True))


def test_the_value_is_not_shown() -> None:
    assert repr(TurnState("secret")) == "TurnState(set)"
    assert repr(TurnState()) == "TurnState(unset)"
