"""``codex-api chat``: a conversation on one session, with commands that begin with a slash."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from codex_api import events, items
from codex_api.cli.connection import Connection
from codex_api.cli.console import complain, notes
from codex_api.cli.facts import limits_line, usage_line
from codex_api.cli.rendering import printer_for
from codex_api.cli.respond import DEFAULT_MODEL, Transport
from codex_api.session import SessionSettings
from codex_api.transport.errors import CodexApiError
from codex_api.types.compaction import CompactionInput
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesApiRequest, ResponsesOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import msgspec

    from codex_api._sync.client import Client
    from codex_api.rate_limits import RateLimitSnapshot
    from codex_api.session import ResponsesSession, SessionStream
    from codex_api.types.item import ResponseItem
    from codex_api.types.usage import TokenUsage

_HELP = """/model [NAME]   show the model, or go on with another
/compact        let the server condense the conversation
/usage          show tokens, limits and the transport
/raw            print events as JSON, or stop doing so
/help           show this
/quit           leave; so does the end of the input"""


def chat(
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    model: str = DEFAULT_MODEL,
    instructions: Annotated[
        str | None, Parameter(help="How the model should behave.", show_default=False)
    ] = None,
    reasoning: Annotated[
        str | None, Parameter(help="Effort: none, minimal, low, medium, high ...")
    ] = None,
    transport: Transport = "auto",
    session_id: Annotated[
        str | None, Parameter(help="Requests of one session share a cache.")
    ] = None,
) -> None:
    """Talk with a model, line by line.

    A line that begins with a slash is a command; /help lists them. Ctrl-C stops an answer, or
    drops the line being typed.
    """
    options = ResponsesOptions(conversation_id=session_id)
    settings = SessionSettings(transport=transport)
    with connection.client() as client, client.session(settings, options) as session:
        Chat(client, session, model, instructions or "", reasoning).run(_lines())


class Chat:
    """The conversation so far, and how it goes on."""

    def __init__(
        self,
        client: Client,
        session: ResponsesSession,
        model: str,
        instructions: str,
        reasoning: str | None,
    ) -> None:
        self._client = client
        self._session = session
        self._model = model
        self._instructions = instructions
        self._reasoning = reasoning
        self._history: list[ResponseItem | msgspec.Raw] = []
        self._is_raw = False
        self._usage: TokenUsage | None = None
        self._limits: RateLimitSnapshot | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "compact": self._compact,
            "help": lambda _: notes().print(_HELP),
            "model": self._choose_model,
            "raw": self._toggle_raw,
            "usage": self._show_usage,
        }

    def run(self, lines: Iterator[str]) -> None:
        """Answer line after line; what goes wrong with one does not end the conversation."""
        for line in lines:
            text = line.strip()
            if text in {"/quit", "/exit"}:
                return
            if not text:
                continue
            try:
                self._answer(text) if not text.startswith("/") else self._obey(text)
            except CodexApiError as exc:
                complain(str(exc))
            except KeyboardInterrupt:
                notes().print("stopped", style="yellow")

    def _obey(self, text: str) -> None:
        name, _, argument = text[1:].partition(" ")
        command = self._commands.get(name)
        if command is None:
            complain(f"there is no /{name}; /help lists what there is")
            return
        command(argument.strip())

    def _answer(self, text: str) -> None:
        asked = [*self._history, items.Message.user(text)]
        effort = self._reasoning
        request = ResponsesApiRequest(
            model=self._model,
            instructions=self._instructions,
            input=asked,
            reasoning=None if effort is None else Reasoning(effort=effort, summary="auto"),
            include=[] if effort is None else ["reasoning.encrypted_content"],
        )
        with self._session.stream(request) as stream:
            finished = self._show(stream)
        # Only a whole turn counts, so that a failed one can be asked again.
        self._history = [*asked, *finished]

    def _show(self, stream: SessionStream) -> list[msgspec.Raw]:
        finished: list[msgspec.Raw] = []
        printer = printer_for(sys.stdout, json_lines=self._is_raw)
        try:
            with printer:
                for event in stream:
                    printer.show(event)
                    match event:
                        case events.OutputItemDone(raw=raw):
                            finished.append(raw)
                        case events.StreamRetry(dropped=dropped):
                            del finished[len(finished) - dropped :]
                        case events.Completed(token_usage=usage):
                            self._usage = usage
                        case events.RateLimits(snapshot) if not snapshot.is_empty:
                            self._limits = snapshot
                        case _:
                            pass
        except CodexApiError as exc:
            printer.failed(exc)
            raise
        return finished

    def _choose_model(self, name: str) -> None:
        self._model = name or self._model
        notes().print(f"model: {self._model}", style="dim")

    def _compact(self, _: str) -> None:
        if not self._history:
            notes().print("there is nothing to compact yet", style="dim")
            return
        before = len(self._history)
        compaction = CompactionInput(self._model, self._history, self._instructions)
        self._history = [*self._client.responses.compact(compaction, via="auto")]
        notes().print(f"compacted {before} items to {len(self._history)}", style="dim")

    def _show_usage(self, _: str) -> None:
        lines = [
            usage_line(self._usage) if self._usage else "tokens: not known yet",
            limits_line(self._limits, None),
            f"transport: {self._session.transport}, items: {len(self._history)}",
        ]
        for line in lines:
            if line is not None:
                notes().print(line, style="dim")

    def _toggle_raw(self, _: str) -> None:
        self._is_raw = not self._is_raw
        notes().print(f"raw events: {'on' if self._is_raw else 'off'}", style="dim")


def _lines() -> Iterator[str]:
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        with suppress(ImportError):
            import_module("readline")  # gives input() an editor and a history
        notes().print("type a message, /help for commands, Ctrl-D to leave", style="dim")
    while True:
        try:
            line = input("> " if is_terminal else "")
        except KeyboardInterrupt:
            if not is_terminal:
                raise
            notes().print()  # what was typed is given up, not the conversation
            continue
        except EOFError:
            if is_terminal:
                notes().print()  # the prompt stands on this line
            return
        yield line
