"""The rest of a response that the server keeps, after its stream broke off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.calling.stream_call import StreamCall
from codex_api._logic.endpoints.pages import included
from codex_api._logic.endpoints.responses import caller_headers
from codex_api._logic.endpoints.stored_responses import response_path
from codex_api._logic.outgoing.session_headers import identity_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api._logic.calling.operation import CallContext
    from codex_api.telemetry import Telemetry
    from codex_api.types.request import ResponsesOptions


def resume_call(
    context: CallContext,
    response_id: str,
    starting_after: int | None,
    options: ResponsesOptions,
    telemetry: Telemetry | None = None,
    *,
    include: Sequence[str] = (),
) -> StreamCall:
    """Prepare the stream of what follows event number ``starting_after``; None gives all events.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
    """
    timeouts = context.timeouts
    after = [] if starting_after is None else [("starting_after", str(starting_after))]
    request = context.request(
        "GET",
        response_path(response_id),
        extra_headers=caller_headers(options),
        id_headers=identity_headers(options),
        forced_headers={"accept": "text/event-stream"},
        query=[("stream", "true"), *after, *included(include)],
        timeout=timeouts.first_event,
    )
    return StreamCall(
        request=request,
        options=options,
        idle_timeout=context.provider.stream_idle_timeout,
        liveness_timeout=timeouts.liveness,
        first_event_timeout=timeouts.first_event,
        total_timeout=timeouts.total,
        telemetry=telemetry,
        seen_through=starting_after,
    )
