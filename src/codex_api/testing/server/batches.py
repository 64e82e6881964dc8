"""``/batches``: files of requests, worked off by a task of the server, one after another."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.server.chat import whole_completion
from codex_api.testing.server.checks import (
    as_object,
    json_body,
    known_keys,
    non_empty,
    required,
    string_map,
)
from codex_api.testing.server.file_store import StoredFile, keep_file
from codex_api.testing.server.generation import whole_response
from codex_api.testing.server.pages import page
from codex_api.testing.server.problems import RequestProblem, invalid_value, not_found
from codex_api.testing.wire import compact_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

#: What `EmbeddedServer.play` scripts the requests of batches by.
LINE_ENDPOINT = "batches/request"
#: Where the requests of a batch may go, and who answers one.
ENDPOINTS: Final[dict[str, Callable[[ServerState, JsonObject, Scenario], JsonObject]]] = {
    "/v1/responses": whole_response,
    "/v1/chat/completions": whole_completion,
}
_DAY = 24 * 60 * 60
_KEYS = frozenset(
    {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}
)


class BatchRun:
    """One batch, from the file of requests to the files of answers."""

    def __init__(self, state: ServerState, body: JsonObject) -> None:
        now = int(state.clock())
        self.batch: JsonObject = {
            "id": state.new_id("batch"),
            "object": "batch",
            "endpoint": body["endpoint"],
            "errors": None,
            "input_file_id": body["input_file_id"],
            "completion_window": body["completion_window"],
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": now,
            "expires_at": now + _DAY,
            **dict.fromkeys(f"{step}_at" for step in _STEPS),
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": body.get("metadata"),
        }
        self._state = state
        self._content = state.files[body["input_file_id"]].content
        self._answers: list[JsonObject] = []
        self._failures: list[JsonObject] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work it off."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """Ask it to stop after the request in hand.

        Raises:
            RequestProblem: Status 409, it is over.
        """
        if self.batch["status"] not in {"validating", "in_progress", "finalizing", "cancelling"}:
            message = f"Cannot cancel a batch with status '{self.batch['status']}'."
            raise RequestProblem(409, message)
        self._step("cancelling")

    async def _run(self) -> None:
        pace = self._state.settings.background_pace
        await asyncio.sleep(pace)
        requests, problems = _requests(self._content, self.batch["endpoint"])
        if problems:
            self.batch["errors"] = {"object": "list", "data": problems}
            self._step("failed")
            return
        counts: dict[str, int] = self.batch["request_counts"]
        counts["total"] = len(requests)
        if not self._is_cancelling:
            self._step("in_progress")
        for request in requests:
            if self._is_cancelling:
                break
            result = self._answer(request)
            is_good = result["response"]["status_code"] == 200  # noqa: PLR2004 - success
            (self._answers if is_good else self._failures).append(result)
            counts["completed" if is_good else "failed"] += 1
            await asyncio.sleep(pace)
        if not self._is_cancelling:
            self._step("finalizing")
            await asyncio.sleep(pace)
        self.batch["output_file_id"] = self._kept("output", self._answers)
        self.batch["error_file_id"] = self._kept("error", self._failures)
        self._step("cancelled" if self._is_cancelling else "completed")

    @property
    def _is_cancelling(self) -> bool:
        status: str = self.batch["status"]
        return status == "cancelling"

    def _answer(self, request: JsonObject) -> JsonObject:
        scenario = self._state.take_scenario(LINE_ENDPOINT)
        status, body = self._outcome(request["body"], scenario)
        return {
            "id": self._state.new_id("batch_req"),
            "custom_id": request["custom_id"],
            "response": {
                "status_code": status,
                "request_id": self._state.new_id("req"),
                "body": body,
            },
            "error": None,
        }

    def _outcome(self, body: JsonObject, scenario: Scenario) -> tuple[int, Any]:
        if scenario.status is not None:
            content = scenario.body
            return scenario.status, content.decode() if isinstance(content, bytes) else content
        try:
            _check_whole(body)
            return 200, ENDPOINTS[self.batch["endpoint"]](self._state, body, scenario)
        except RequestProblem as problem:
            return problem.status, {"error": problem.error()}

    def _kept(self, what: str, results: list[JsonObject]) -> str | None:
        if not results:
            return None
        lines = b"".join(compact_json(result) + b"\n" for result in results)
        name = f"{self.batch['id']}_{what}.jsonl"
        return keep_file(self._state, name, "batch_output", lines).file_id

    def _step(self, status: str) -> None:
        self.batch |= {"status": status, f"{status}_at": int(self._state.clock())}


_STEPS = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


class Batches:
    """The endpoints of batches."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the base path."""
        one = "/batches/{batch_id}"
        return [
            Route("/batches", self.create, methods=["POST"]),
            Route("/batches", self.list, methods=["GET"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
        ]

    async def create(self, http: Request) -> Response:
        """Begin a batch."""
        body = json_body(http.state.recorded)
        known_keys(body, _KEYS)
        if non_empty(body, "endpoint") not in ENDPOINTS:
            message = f"this server has batches of {' and '.join(ENDPOINTS)} only."
            raise invalid_value("endpoint", message)
        if non_empty(body, "completion_window") != "24h":
            raise invalid_value("completion_window", "it is not '24h'.")
        string_map(body, "metadata")
        self._check_file(non_empty(body, "input_file_id"))
        run = BatchRun(self._state, body)
        self._state.batches[run.batch["id"]] = run
        shown = JSONResponse(run.batch)
        run.start()
        return shown

    async def list(self, http: Request) -> Response:
        """List the batches, the newest first."""
        return page(http, [run.batch for run in self._state.batches.values()])

    async def retrieve(self, http: Request) -> Response:
        """Say how far a batch is."""
        return JSONResponse(self._run(http).batch)

    async def cancel(self, http: Request) -> Response:
        """Stop a batch."""
        run = self._run(http)
        run.cancel()
        return JSONResponse(run.batch)

    def _check_file(self, file_id: str) -> StoredFile:
        file = self._state.files.get(file_id)
        if file is None:
            raise not_found("File", file_id)
        if file.purpose != "batch":
            message = f"the purpose of the file is '{file.purpose}', not 'batch'."
            raise invalid_value("input_file_id", message)
        return file

    def _run(self, http: Request) -> BatchRun:
        batch_id: str = http.path_params["batch_id"]
        if batch_id not in self._state.batches:
            raise not_found("Batch", batch_id)
        return self._state.batches[batch_id]


def _check_whole(body: JsonObject) -> None:
    if body.get("stream") or body.get("background"):
        message = "A request of a batch is neither streamed nor in the background."
        raise RequestProblem(400, message)


def _requests(content: bytes, endpoint: str) -> tuple[list[JsonObject], list[JsonObject]]:
    """Read the lines of a file; what is wrong with any costs the whole batch."""
    requests: list[JsonObject] = []
    problems: list[JsonObject] = []
    seen: set[str] = set()
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            requests.append(_request(line, endpoint, seen))
        except RequestProblem as problem:
            error = problem.error()
            problems.append(
                {key: error[key] for key in ("code", "message", "param")} | {"line": number}
            )
    if not requests and not problems:
        message = "The file of requests is empty."
        problems.append({"code": "empty_file", "message": message, "param": None, "line": None})
    return requests, problems


def _request(line: bytes, endpoint: str, seen: set[str]) -> JsonObject:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        message = "This line is not valid JSON."
        raise RequestProblem(400, message, "invalid_json_line") from None
    request = as_object(value, "line")
    name = non_empty(request, "custom_id")
    if name in seen:
        message = f"The custom_id '{name}' was used before."
        raise RequestProblem(400, message, "duplicate_custom_id", "custom_id")
    seen.add(name)
    if (request.get("method"), request.get("url")) != ("POST", endpoint):
        message = f"A request of this batch is a POST of '{endpoint}'."
        raise RequestProblem(400, message, "mismatched_endpoint", "url")
    required(request, "body", dict)
    return request
