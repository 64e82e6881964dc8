"""Ctrl-C and cancellation at whatever moment: nothing hangs, and nothing is left open."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codex_api.testing.actions import AcceptWebSocket, Action, Hang, Pause, ReadRequest, Send
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, last_chunk, sse_head

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="counts handles in /dev/fd")

# An answer of some milliseconds in five steps, so that a moment falls into any phase of it.
EVENT = b'data: {"type":"response.output_text.delta","delta":"hi"}\n\n'
END = b'data: {"type":"response.completed","response":{"id":"resp_1"}}\n\n'
SLOW: list[Action] = [
    Pause(0.001),
    Send(sse_head()),
    *[step for _ in range(3) for step in (Pause(0.001), Send(chunk(EVENT)))],
    Send(chunk(END) + last_chunk()),
]

SHARED = """
import asyncio, gc, os, random, signal, sys, threading, time, warnings
from codex_api import ApiKeyAuth, AsyncClient, Client, Network, Provider, ResponsesApiRequest
from codex_api import items

REQUEST = ResponsesApiRequest(model="m", input=[items.Message.user("hi")])
PROVIDER = Provider("mock", sys.argv[1])
SETTINGS = {"auth": ApiKeyAuth("k"), "network": Network(proxy=None)}
draw = random.Random(int(sys.argv[2]))

def handles():
    gc.collect()
    return len(os.listdir("/dev/fd"))
"""

CTRL_C = """
def press(after, heard):
    time.sleep(after)
    signal.pthread_kill(main, signal.SIGINT)
    while not heard.wait(1):  # Python drops one that comes while an object is being deleted
        signal.pthread_kill(main, signal.SIGINT)

main = threading.main_thread().ident
pressed = 0
with Client(PROVIDER, **SETTINGS) as client:
    client.responses.stream(REQUEST).collect()
    before = handles()
    for _ in range(50):
        heard = threading.Event()
        thread = threading.Thread(target=press, args=(draw.uniform(0, 0.012), heard))
        try:
            thread.start()
            while True:
                client.responses.stream(REQUEST).collect()
        except KeyboardInterrupt:
            heard.set()
            pressed += 1
        thread.join()
    client.responses.stream(REQUEST).collect()
    assert handles() <= before, (handles(), before)
assert threading.active_count() == 1, threading.enumerate()
print(pressed)
"""

CANCEL = """
async def use(client):
    while True:
        await client.responses.stream(REQUEST).collect()

async def run():
    asyncio.get_running_loop().slow_callback_duration = 60.0  # a busy machine is no fault
    cancelled = 0
    async with AsyncClient(PROVIDER, **SETTINGS) as client:
        await client.responses.stream(REQUEST).collect()
        await asyncio.sleep(0.01)
        before = handles()
        for _ in range(200):
            task = asyncio.create_task(use(client))
            await asyncio.sleep(draw.uniform(0, 0.012))
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                cancelled += 1
        await client.responses.stream(REQUEST).collect()
        for _ in range(3):
            await asyncio.sleep(0)  # asyncio closes a socket a turn after it was told to
        assert handles() <= before, (handles(), before)
        assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
    print(cancelled)

asyncio.run(run())
"""


SIGNALS = """
from codex_api.errors import IdleTimeoutError
from codex_api.transport.errors import TransportTimeoutError
from codex_api.transport.websocket import connect

came = 0

def come(*_):
    global came
    came += 1
    if came == 100:
        raise AssertionError("the wait went on beyond its limit")

signal.signal(signal.SIGALRM, come)
"""

STREAM_UNDER_SIGNALS = """
provider = Provider("mock", sys.argv[1], stream_idle_timeout=1.5)
with Client(provider, **SETTINGS) as client:
    stream = client.responses.stream(REQUEST)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        stream.collect()
    except IdleTimeoutError:
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(came)
"""

WEBSOCKET_UNDER_SIGNALS = """
url = sys.argv[1].replace("http", "ws", 1)
socket = connect(url, {}, network=Network(proxy=None), deflate=False, connect_timeout=5.0)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
try:
    socket.recv(1.5)
except TransportTimeoutError:
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(came)
socket.abort()
"""


@pytest.mark.parametrize("seed", ["1", "2"])
@pytest.mark.parametrize(("program", "times"), [(CTRL_C, 50), (CANCEL, 200)])
def test_calls_cut_at_any_moment_leave_nothing_behind(program: str, times: int, seed: str) -> None:
    with ScriptedServer([SLOW], repeat_last=True) as server:
        assert run(SHARED + program, server, seed) == times


@pytest.mark.parametrize(
    ("program", "script"),
    [
        (STREAM_UNDER_SIGNALS, [ReadRequest(), Send(sse_head()), Send(chunk(EVENT)), Hang()]),
        (WEBSOCKET_UNDER_SIGNALS, [AcceptWebSocket(), Hang()]),
    ],
)
def test_signals_do_not_move_the_limit_of_a_wait(program: str, script: list[Action]) -> None:
    with ScriptedServer(connections=[script]) as server:
        assert run(SHARED + SIGNALS + program, server, "1") > 0


def run(program: str, server: ScriptedServer, seed: str) -> int:
    """Run the program against the server, and return the number that it prints."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-X", "dev", "-W", "error", "-c", program, server.url, seed],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return int(done.stdout)
