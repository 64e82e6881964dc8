"""Waiting for a batch: how often it is looked at, and how the waiting ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import errors
from codex_api.testing.actions import Hang, answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.batches import Batch
from tests.fronts.simple_calls import FakeClock, client_of, provider

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio


def told(status: str) -> Any:
    return answer(body={"id": "batch_1", "object": "batch", "status": status})


async def waited(
    front: Front, clock: FakeClock, script: list[Any], *given: Any, **options: Any
) -> tuple[Any, list[str]]:
    """Return what the waiting gave, and the paths that were asked for."""
    with ScriptedServer(script) as server:
        async with front.entering(client_of(front, provider(server), clock=clock)) as client:
            result = await front(client.batches.wait, *(given or ("batch_1",)), **options)
        return result, [request.target for request in server.requests]


async def test_a_batch_is_looked_at_less_and_less_often(front: Front) -> None:
    clock = FakeClock()
    script = [told("validating"), *[told("in_progress")] * 8, told("completed")]

    batch, paths = await waited(front, clock, script)

    assert batch.status == "completed"
    assert paths == ["/v1/batches/batch_1"] * 10
    assert clock.waits[:3] == [5.0, 7.5, 11.25]
    assert clock.waits[-1] == 60.0


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
async def test_a_batch_that_ended_otherwise_is_given_all_the_same(
    front: Front, status: str
) -> None:
    batch, _ = await waited(front, FakeClock(), [told("cancelling"), told(status)], poll=2)

    assert batch.status == status


async def test_the_caller_says_how_often(front: Front) -> None:
    clock = FakeClock()
    script = [told("in_progress"), told("in_progress"), told("completed")]

    await waited(front, clock, script, Batch(id="batch_1", status="validating"), poll=2)

    assert clock.waits == [2, 2]


async def test_a_limit_ends_the_waiting_and_not_the_batch(front: Front) -> None:
    clock = FakeClock()
    script = [told("in_progress")] * 4

    with pytest.raises(errors.DeadlineExceededError, match="the batch was not finished within 12"):
        await waited(front, clock, script, timeout=12)

    assert clock.waits == [5.0, 7.0]


async def test_a_look_that_hangs_does_not_outlast_the_limit(front: Front) -> None:
    with ScriptedServer([[Hang()]]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.DeadlineExceededError):
                await front(client.batches.wait, "batch_1", poll=0.1, timeout=0.1)


async def test_a_look_that_fails_ends_the_waiting(front: Front) -> None:
    gone = answer(404, body={"error": {"message": "no such batch"}})

    with pytest.raises(errors.UnexpectedStatusError):
        await waited(front, FakeClock(), [told("in_progress"), gone])


@pytest.mark.parametrize("poll", [0, -1])
async def test_a_poll_that_is_no_time_is_refused(front: Front, poll: float) -> None:
    with pytest.raises(errors.RequestBuildError, match="`poll`"):
        await waited(front, FakeClock(), [], poll=poll)
