"""How much a connection under asyncio reads at once."""

from __future__ import annotations

import asyncio
import socket

import pytest

from codex_api.transport.channel_async import SocketChannelAsync

pytestmark = pytest.mark.anyio

QUARTER, WHOLE = 64 << 10, 256 << 10


async def test_a_full_read_makes_the_next_ones_larger_and_a_small_one_smaller_again() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        channel = await SocketChannelAsync.attach(ours)
        transport = channel._transport
        assert isinstance(transport, asyncio.Transport)
        sizes = [getattr(transport, "max_size", None)]
        for came in (b"x" * QUARTER, b"y" * WHOLE, b"z"):
            channel.data_received(came)
            sizes.append(getattr(transport, "max_size", None))
        channel.abort()

    assert sizes == [QUARTER, WHOLE, WHOLE, QUARTER]


async def test_what_waits_is_read_at_once_and_what_comes_after_the_end_is_dropped() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        channel = await SocketChannelAsync.attach(ours)
        channel.data_received(b"early")

        assert await channel.inbox.read() == b"early"
        channel.abort()
        channel.data_received(b"late")
        assert channel.inbox.take() == b""
