"""``codex-api inspect``: timelines of what passed, in the terminal or as a page."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Group
from rich.live import Live

from codex_api.cli import exit_codes
from codex_api.cli.console import Output, note
from codex_api.cli.serve import announce, started
from codex_api.cli.tapes import LOOPBACK, checked_upstream, recording_server
from codex_api.cli.timeline_file import LivePage, write_page
from codex_api.cli.timeline_view import lane_lines, length, lines
from codex_api.testing.cassettes import Cassette
from codex_api.testing.timelines import TapeFollower, read_lanes
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from codex_api.testing.lanes import Lane

_LOOK_SECONDS = 0.25
_LEAST_LINES = 3


def inspect(
    files: Annotated[
        tuple[Path, ...],
        Parameter(help="Cassettes, bodies of event streams, logs of frames or of serve."),
    ] = (),
    /,
    *,
    html: Annotated[
        Path | None,
        Parameter(help="Write a page that draws all of it; with --live, as it comes."),
    ] = None,
    live: Annotated[
        str | None,
        Parameter(help="Base URL of a server: stand before it and show what passes, until Ctrl-C."),
    ] = None,
    out: Annotated[Path | None, Parameter(help="With --live: the cassette to write.")] = None,
    port: Annotated[
        int, Parameter(help="With --live: TCP port on the loopback address; 0 takes any.")
    ] = 8321,
) -> int:
    """Show timelines: first events, gaps, pace, retries, tool calls and outcomes."""
    if (live is None) is not bool(files):
        message = "inspect needs files, or --live with a URL"
        raise RequestBuildError(message)
    if live is not None:
        return _watch(live, html, out, port)
    if out is not None:
        message = "--out belongs to --live"
        raise RequestBuildError(message)
    lanes: list[Lane] = []
    for path in files:
        try:
            found = read_lanes(path)
        except ValueError as exc:
            raise RequestBuildError(str(exc)) from exc
        for lane in found:
            lane.retry_of = None if lane.retry_of is None else lane.retry_of + len(lanes)
        lanes += found
    _show(lanes)
    if html is not None:
        write_page(html, lanes)
        note(f"wrote {html}")
    return exit_codes.OK


def _show(lanes: Sequence[Lane]) -> None:
    output = Output(highlight=False, markup=False, emoji=False)
    for line in lines(lanes, output.width):
        output.print(line, no_wrap=True, overflow="ellipsis", crop=True)


def _watch(upstream: str, html: Path | None, out: Path | None, port: int) -> int:
    checked_upstream(upstream, "--live")
    if out is not None and out.exists():
        message = f"{out} is there already"
        raise RequestBuildError(message)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="codex-api-inspect-"))
        tape = out or Path(folder) / "live.jsonl"
        cassette = Cassette(tape)
        server = recording_server(upstream, cassette, port)
        ending = started(stack, server, LOOPBACK, port)
        if ending is None:
            return exit_codes.FAILED
        announce(server.url, LOOPBACK, None)
        follower, page = TapeFollower(tape), LivePage(html)
        _follow(follower, page, ending)
        server.stop()
        cassette.close()
        follower.poll()
        lanes = follower.lanes()
        page.finish(lanes)
        note(f"saw {len(lanes)} stream{'' if len(lanes) == 1 else 's'}")
    return exit_codes.OK


def _follow(follower: TapeFollower, page: LivePage, ending: threading.Event) -> None:
    """Show what comes: all of it anew in a terminal, else each stream once it is over."""
    output = Output(highlight=False, markup=False, emoji=False)
    if not output.is_terminal or os.environ.get("TERM") == "dumb":
        told = 0
        while True:
            is_over = ending.wait(_LOOK_SECONDS)
            is_new = follower.poll()
            lanes = follower.lanes()
            page.show(lanes, is_new=is_new)
            through = next((at for at, lane in enumerate(lanes) if lane.outcome == "open"), None)
            upto = len(lanes) if through is None or is_over else through
            for number in range(told, upto):
                total = length(lanes[: number + 1])
                for line in lane_lines(lanes[number], number, total, output.width):
                    output.print(line, no_wrap=True, overflow="ellipsis", crop=True)
                output.file.flush()
            told = max(told, upto)
            if is_over:
                return
    with Live(console=output, auto_refresh=False, transient=False) as view:
        while True:
            is_over = ending.wait(_LOOK_SECONDS)
            is_new = follower.poll()
            lanes = follower.lanes()
            page.show(lanes, is_new=is_new)
            if is_new or is_over:
                shown = list(lines(lanes, output.width))
                room = max(_LEAST_LINES, output.height - 1)
                view.update(Group(*(shown if is_over else shown[-room:])), refresh=True)
            if is_over:
                return
