"""What a running server remembers: who asked what, what was stored, what is scripted."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from codex_api.testing.matching import Asked
from codex_api.testing.recording import Journal, RecordedRequest, wait_until
from codex_api.testing.scenarios import Scenario
from codex_api.testing.server.latency import LatencyDice
from codex_api.testing.server.limits import Ledger
from codex_api.testing.server.problems import RequestProblem, not_found
from codex_api.testing.server.tokens import PromptCache
from codex_api.testing.wire import object_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_api.testing.rules import Rules
    from codex_api.testing.server.background import BackgroundRun
    from codex_api.testing.server.batches import BatchRun
    from codex_api.testing.server.file_store import StoredFile
    from codex_api.testing.server.files import Upload
    from codex_api.testing.server.realtime.secrets import Secret
    from codex_api.testing.server.settings import ServerSettings
    from codex_api.testing.server.threads import Thread
    from codex_api.testing.wire import JsonObject

# What a model answers takes as long as ``latency`` says.
_GENERATING = frozenset({"responses", "chat/completions"})


_NORMAL = Scenario()


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A client that went away before its answer was through.

    Attributes:
        events_sent: Number of events written by then.
        last_event: Type of the last one, or None.
    """

    request: RecordedRequest
    events_sent: int
    last_event: str | None


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response that can be asked for again.

    Attributes:
        input: What it was made of, each with an id.
        items: The whole conversation, its output included.
        events: All of its events, in order of ``sequence_number``.
    """

    response: JsonObject
    input: list[JsonObject]
    items: list[JsonObject]
    events: list[JsonObject]


class ServerState:
    """The memory of one server.

    Attributes:
        api_keys: Keys that are let in; may be changed while the server runs.
        stored: Responses that can be asked for again, by id.
        runs: Background responses that are not over, by id.
        uploads: Announced files, by id.
        files: Files that are kept, by id.
        batches: Batches, by id.
        secrets: Keys for realtime sessions that expire, by their value.
        threads: What the public API calls conversations, by id.
        conversations: The whole conversation of each response whose end was sent, by id.
        ledger: Limits and account, where the settings have limits.
        rules: Choose the scenario of requests that nothing was scripted for.
        by_default: Gives the scenario of a request to an endpoint that nothing was scripted for.
        closers: Awaited when the server stops, while its tasks still run.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.api_keys: set[str] = set(settings.api_keys)
        self.journal: Journal = Journal()
        self.cache: PromptCache = PromptCache()
        self.stored: dict[str, StoredResponse] = {}
        self.runs: dict[str, BackgroundRun] = {}
        self.uploads: dict[str, Upload] = {}
        self.files: dict[str, StoredFile] = {}
        self.batches: dict[str, BatchRun] = {}
        self.secrets: dict[str, Secret] = {}
        self.threads: dict[str, Thread] = {}
        self.conversations: dict[str, list[JsonObject]] = {}
        self.closers: list[Callable[[], Awaitable[None]]] = []
        self.ledger: Ledger | None = None
        if settings.limits is not None:
            self.ledger = Ledger(settings.limits, settings.clock or time.time)
        self._latency = None if settings.latency is None else LatencyDice(settings.latency)
        self.rules: Rules | None = None
        self.by_default: Callable[[str], Scenario] = lambda _: Scenario()
        self.clock: Callable[[], float] = settings.clock or time.time
        self._numbers = itertools.count(1)
        self._own_files: tempfile.TemporaryDirectory[str] | None = None
        self._changed = threading.Condition()
        self._disconnects: list[Disconnect] = []
        self._scenarios: defaultdict[str, deque[Scenario]] = defaultdict(deque)

    def new_id(self, prefix: str) -> str:
        """Return an id that was not given before; the order of ids is always the same."""
        number = next(self._numbers)
        digest = hashlib.sha256(f"{prefix}-{number}".encode()).hexdigest()
        return f"{prefix}_{number:08x}{digest[:40]}"

    def files_dir(self) -> Path:
        """Return the directory where uploads land; it is made when it is first needed."""
        chosen = self.settings.files_dir
        if chosen is not None:
            chosen.mkdir(parents=True, exist_ok=True)
            return chosen
        if self._own_files is None:
            self._own_files = tempfile.TemporaryDirectory(prefix="codex-api-files-")
        return Path(self._own_files.name)

    def close(self) -> None:
        """Remove the directory of uploads, if it was made here."""
        if self._own_files is not None:
            self._own_files.cleanup()
            self._own_files = None

    def script(self, endpoint: str, scenarios: tuple[Scenario, ...]) -> None:
        """Queue ``scenarios`` for the next requests to ``endpoint``."""
        with self._changed:
            self._scenarios[endpoint].extend(scenarios)

    def take_scenario(self, endpoint: str, request: RecordedRequest | None = None) -> Scenario:
        """Return the scenario of a request to ``endpoint``: the first that is for it."""
        asked = None if request is None else Asked(endpoint, request, self._named)
        with self._changed:
            scenario = self._scripted(endpoint, asked)
            if scenario is None or scenario == _NORMAL:
                scenario = self.by_default(endpoint)
            if self._latency is None or endpoint not in _GENERATING or scenario.status is not None:
                return scenario
            return replace(scenario, faults=(self._latency.throw(), *scenario.faults))

    def _scripted(self, endpoint: str, asked: Asked | None) -> Scenario | None:
        queue = self._scenarios[endpoint]
        for each in queue:
            if each.match is None or (asked is not None and each.match.fits(asked)):
                queue.remove(each)
                return each
        return None if self.rules is None or asked is None else self.rules.choose(asked)

    def _named(self, body: JsonObject) -> list[JsonObject]:
        """Return the conversation that a request goes on from, as far as it is known."""
        previous, named = body.get("previous_response_id"), body.get("conversation")
        name = str(named if isinstance(named, str) else object_of(named).get("id"))
        if name in self.threads:
            return self.threads[name].items
        if str(previous) in self.conversations:
            return self.conversations[str(previous)]
        stored = self.stored.get(str(previous))
        return [] if stored is None else stored.items

    def note_disconnect(self, disconnect: Disconnect) -> None:
        """Remember a client that went away."""
        with self._changed:
            self._disconnects.append(disconnect)
            self._changed.notify_all()

    @property
    def disconnects(self) -> list[Disconnect]:
        """The clients that went away so far."""
        with self._changed:
            return list(self._disconnects)

    def wait_for_disconnects(self, count: int, timeout: float) -> list[Disconnect]:
        """Wait until ``count`` clients went away.

        Raises:
            TimeoutError: Fewer did.
        """
        wait_until(self._changed, lambda: len(self._disconnects) >= count, timeout)
        return self.disconnects

    def response(self, response_id: str) -> StoredResponse:
        """Return a stored response.

        Raises:
            RequestProblem: Status 404.
        """
        if response_id not in self.stored:
            what = "Response"
            raise not_found(what, response_id)
        return self.stored[response_id]

    def previous_items(self, response_id: str | None) -> list[JsonObject]:
        """Return the conversation up to a stored response; nothing for None.

        Raises:
            RequestProblem: Status 400, it is not stored.
        """
        if response_id is None:
            return []
        if response_id not in self.stored:
            raise previous_not_found(response_id)
        return self.stored[response_id].items


def previous_not_found(response_id: str) -> RequestProblem:
    """Say that ``previous_response_id`` is unknown."""
    message = f"Previous response with id '{response_id}' not found."
    param = "previous_response_id"
    return RequestProblem(400, message, "previous_response_not_found", param)
