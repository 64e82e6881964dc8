from __future__ import annotations

import pytest

from codex_api._logic.session.sticky_turn import StickyTurn, identity
from codex_api.transport._core.headers import Headers

ALICE, BOB = "alice", "bob"


def test_the_first_value_of_a_turn_stays() -> None:
    state = StickyTurn()

    assert state.offer("TS-1", ALICE)
    assert not state.offer("TS-2", ALICE)
    assert state.value_for(ALICE) == "TS-1"


def test_a_new_turn_starts_without() -> None:
    state = StickyTurn()
    state.offer("TS-1", ALICE)
    state.begin_turn()

    assert state.value_for(ALICE) is None
    assert state.offer("TS-2", ALICE)


def test_other_credentials_never_see_it() -> None:
    state = StickyTurn()
    state.offer("TS-1", ALICE)

    assert state.value_for(BOB) is None
    assert state.offer("TS-2", BOB)
    assert state.value_for(BOB) == "TS-2"
    assert state.value_for(ALICE) is None


@pytest.mark.parametrize("value", [None, "", "  ", "x" * 8001, "a\r\nb: c"])
def test_a_value_that_cannot_go_out_is_not_taken(value: str | None) -> None:
    state = StickyTurn()

    assert not state.offer(value, ALICE)
    assert state.value_for(ALICE) is None


def test_the_longest_value_is_taken() -> None:
    assert StickyTurn().offer("x" * 8000, ALICE)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"authorization": "Bearer a"}, {"authorization": "Bearer a"}, True),
        ({"authorization": "Bearer a"}, {"authorization": "Bearer b"}, False),
        (
            {"authorization": "Bearer a", "chatgpt-account-id": "acct"},
            {"authorization": "Bearer refreshed", "chatgpt-account-id": "acct"},
            True,
        ),
        (
            {"authorization": "Bearer a", "chatgpt-account-id": "acct"},
            {"authorization": "Bearer a", "chatgpt-account-id": "other"},
            False,
        ),
        ({"api-key": "k"}, {"api-key": "k"}, True),
        ({"api-key": "k"}, {"authorization": "k"}, False),
        ({}, {}, True),
    ],
)
def test_credentials_are_the_same_when_the_account_is(
    one: dict[str, str], other: dict[str, str], *, same: bool
) -> None:
    assert (identity(Headers(one)) == identity(Headers(other))) is same


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}])
def test_who_gives_no_credentials_is_nobody(headers: dict[str, str]) -> None:
    assert identity(Headers(headers)) == ""


def test_an_identity_does_not_hold_the_secret() -> None:
    assert "s3cret" not in identity(Headers({"authorization": "Bearer s3cret"}))
