"""A loopback server that plays scripts of bytes.

Two ways to script: *answers* are played one per request, whichever connection it comes on;
*connections* are played one per connection from its first byte, and have to read requests
themselves. A client that asks for more than was scripted is told so with a status that nobody
retries, and counted in `ScriptedServer.overruns`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from codex_api.testing.actions import Action, answer
from codex_api.testing.connection import Connection, ConnectionRecord
from codex_api.testing.loop_thread import LoopThread, stop_listening
from codex_api.testing.recording import Journal, RecordedRequest, wait_until
from codex_api.testing.websocket_peer import PeerGoneError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self


Script: TypeAlias = Sequence[Action]

EXHAUSTED_STATUS = 418
# Tests open a thousand streams at once.
BACKLOG = 2048


class ScriptedServer:
    """Plays scripts to clients that connect, and records what they send.

    A context manager, sync and async; it may be used once. Methods that wait block the calling
    thread: an async test calls them through a worker thread.

    Args:
        answers: Scripts that answer one request each.
        connections: Scripts that own one connection each.
        repeat_last: Play the last script again and again instead of running out.
        ssl_context: Speak TLS.
        host: Address to bind.
        base_path: Path that `url` ends in.
        port: Port to bind; 0 takes a free one.

    Attributes:
        overruns: Requests (or connections) that came after the script was through.
        errors: Exceptions that scripts raised, other than the client going away. `stop` raises the
            first.
    """

    def __init__(
        self,
        answers: Sequence[Script] = (),
        *,
        connections: Sequence[Script] | None = None,
        repeat_last: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        base_path: str = "/v1",
        port: int = 0,
    ) -> None:
        self.overruns: int = 0
        self.errors: list[Exception] = []
        self._by_connection = connections is not None
        self._scripts = list(answers if connections is None else connections)
        self._repeat_last = repeat_last
        self._ssl_context = ssl_context
        self._host = host
        self._base_path = base_path
        self._port = port
        self._journal = Journal()
        self._changed = threading.Condition()
        self._accepted: list[Connection] = []
        self._open: dict[Connection, asyncio.Task[None]] = {}
        self._records: list[ConnectionRecord] = []
        self._listener: asyncio.Server | None = None
        self._thread = LoopThread("codex-api-scripted-server")

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    @property
    def url(self) -> str:
        """Base URL for a provider."""
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://{self._host}:{self._port}{self._base_path}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, in the order they were complete."""
        return self._journal.snapshot()

    @property
    def connections(self) -> list[ConnectionRecord]:
        """The connections so far, in the order they were made."""
        return list(self._records)

    def start(self) -> Self:
        """Listen on an ephemeral port."""
        self._thread.start()
        try:
            self._thread.call(self._listen())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def stop(self) -> None:
        """Drop all connections and end the thread.

        Raises:
            Exception: What a script raised, other than the client going away.
        """
        self._thread.call(self._shut_down())
        self._thread.stop()
        if self.errors:
            raise self.errors[0]

    def wait_for_requests(self, count: int, timeout: float = 5.0) -> list[RecordedRequest]:
        """Wait until ``count`` requests were received.

        Raises:
            TimeoutError: Fewer came.
        """
        return self._journal.wait_for(count, timeout)

    def wait_for_disconnect(self, connection: int = 0, timeout: float = 5.0) -> ConnectionRecord:
        """Wait until connection number ``connection`` has ended.

        Raises:
            TimeoutError: It is still open, or was never made.
        """
        self.wait_until(
            lambda: (
                len(self._records) > connection and self._records[connection].ending is not None
            ),
            timeout,
        )
        return self._records[connection]

    def wait_until(self, holds: Callable[[], bool], timeout: float = 5.0) -> None:
        """Wait until ``holds()``, looking again whenever a connection moves or an action ends.

        Raises:
            TimeoutError: It never held.
        """
        wait_until(self._changed, holds, timeout)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except Exception as failure:
            if exc is None:
                raise
            exc.add_note(f"the script failed, too: {failure!r}")

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)

    async def _listen(self) -> None:
        self._listener = await asyncio.get_running_loop().create_server(
            self._accept,
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=BACKLOG,
            family=socket.AF_INET6 if ":" in self._host else socket.AF_INET,
        )
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _shut_down(self) -> None:
        if self._listener is not None:
            await stop_listening(self._listener)
        for task in list(self._open.values()):
            task.cancel()
        for connection in self._accepted:  # one of TLS may still wait for the client's goodbye
            connection.reset()
        await asyncio.gather(*self._open.values(), return_exceptions=True)
        # A transport is closed by a callback of the next turns of the loop, and one of a connection
        # that was accepted just now is made there.
        for _ in range(3):
            await asyncio.sleep(0)
            for connection in self._open:
                connection.reset()

    def _accept(self) -> Connection:
        record = ConnectionRecord(number=len(self._records))
        self._records.append(record)
        connection = Connection(record, self._journal.add, self._notify)
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._accepted.append(connection)
        self._open[connection] = task
        task.add_done_callback(lambda _: self._forget(connection))
        return connection

    def _forget(self, connection: Connection) -> None:
        """Leave a connection to `stop` whose script is over while bytes still wait to be sent."""
        if connection.is_lost:
            self._open.pop(connection, None)

    async def _serve(self, connection: Connection) -> None:
        await connection.made.wait()
        try:
            if self._by_connection:
                script = self._next_script()
                await self._play(connection, [] if script is None else script)
            else:
                await self._answer_requests(connection)
        except PeerGoneError:
            pass
        except Exception as exc:  # noqa: BLE001 - a broken script must not look like a dead client
            self.errors.append(exc)
        connection.close()

    async def _answer_requests(self, connection: Connection) -> None:
        while (request := await connection.read_request()) is not None:
            script = self.script_for(request)
            if script is None:
                error = {"message": "No answer is left in the script.", "type": "script_exhausted"}
                script = answer(EXHAUSTED_STATUS, {"error": error})
            await self._play(connection, script)
            if (request.header("connection") or "").lower() == "close":
                return

    async def _play(self, connection: Connection, script: Script) -> None:
        for action in script:
            await action.play(connection)
            connection.record.actions_played += 1
            self._notify()

    def script_for(self, request: RecordedRequest) -> Script | None:
        """Return the script that answers ``request``, or None when none is left."""
        del request
        return self._next_script()

    def _next_script(self) -> Script | None:
        if not self._scripts:
            self._note_overrun()
            return None
        if self._repeat_last and len(self._scripts) == 1:
            return self._scripts[0]
        return self._scripts.pop(0)

    def _note_overrun(self) -> None:
        self.overruns += 1

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
