"""``codex-api respond``: one answer, streamed to the terminal."""

from __future__ import annotations

import json
import mimetypes
import sys
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console

from codex_api import items
from codex_api.cli.connection import Connection
from codex_api.cli.rendering import printer_for
from codex_api.transport.errors import RequestBuildError
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesApiRequest, ResponsesOptions
from codex_api.types.text import create_text_param_for_request

if TYPE_CHECKING:
    from codex_api.types.item import ResponseItem

DEFAULT_MODEL = "gpt-5.1-codex"
Verbosity = Literal["low", "medium", "high"]


def respond(
    prompt: Annotated[str, Parameter(help="What to ask; '-' reads it from standard input.")],
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    model: str = DEFAULT_MODEL,
    instructions: Annotated[str, Parameter(help="How the model should behave.")] = "",
    image: Annotated[
        tuple[str, ...], Parameter(help="File or URL; may be repeated.", negative="")
    ] = (),
    reasoning: Annotated[
        str | None, Parameter(help="Effort: minimal, low, medium, high ...")
    ] = None,
    verbosity: Verbosity | None = None,
    output_schema: Annotated[
        Path | None, Parameter(help="JSON Schema file the answer must fit.")
    ] = None,
    input: Annotated[Path | None, Parameter(help="Earlier items, JSON list or JSONL.")] = None,  # noqa: A002 - the option's name
    session_id: Annotated[
        str | None, Parameter(help="Keeps requests on one server's cache.")
    ] = None,
    json_lines: Annotated[
        bool, Parameter(name="--json", negative="", help="One event a line.")
    ] = False,
) -> None:
    """Stream one response."""
    request = ResponsesApiRequest(
        model=model,
        instructions=instructions,
        input=[*_history(input), _message(prompt, image)],
        reasoning=Reasoning(effort=reasoning, summary="auto") if reasoning else None,
        include=["reasoning.encrypted_content"] if reasoning else [],
        text=create_text_param_for_request(verbosity, _schema(output_schema), strict=True),
    )
    options = ResponsesOptions(conversation_id=session_id, other_events=json_lines)
    printer = printer_for(sys.stdout, json_lines=json_lines)
    with (
        connection.client() as client,
        client.responses.stream(request, options) as stream,
        printer,
    ):
        for event in stream:
            printer.show(event)
    if not json_lines:
        printer.summary(Console(stderr=True, highlight=False), stream.rate_limits)


def _message(prompt: str, images: tuple[str, ...]) -> ResponseItem:
    text = sys.stdin.read() if prompt == "-" else prompt
    parts: list[items.InputText | items.InputImage] = [items.InputText(text)]
    parts += [items.InputImage(_image_url(source)) for source in images]
    return items.Message(role="user", content=parts)


def _image_url(source: str) -> str:
    if source.startswith(("http://", "https://", "data:")):
        return source
    kind = mimetypes.guess_type(source)[0] or ""
    if not kind.startswith("image/"):
        message = f"--image {source}: the file's name does not say that it is an image"
        raise RequestBuildError(message)
    return f"data:{kind};base64,{b64encode(_read(Path(source), '--image')).decode()}"


def _history(path: Path | None) -> list[msgspec.Raw]:
    """Read earlier items as they are, so that nothing of them is lost."""
    if path is None:
        return []
    data = _read(path, "--input").strip()
    try:
        if data.startswith(b"["):
            return msgspec.json.decode(data, type=list[msgspec.Raw])
        lines = [line for line in data.splitlines() if line.strip()]
        return [msgspec.json.decode(line, type=msgspec.Raw) for line in lines]
    except msgspec.DecodeError as exc:
        message = f"--input {path}: not a JSON list and not JSONL: {exc}"
        raise RequestBuildError(message) from None


def _schema(path: Path | None) -> Any:  # noqa: ANN401 - any JSON
    if path is None:
        return None
    try:
        return json.loads(_read(path, "--output-schema"))
    except ValueError as exc:
        message = f"--output-schema {path}: not JSON: {exc}"
        raise RequestBuildError(message) from None


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        message = f"{option} {path}: {exc.strerror or 'cannot be read'}"
        raise RequestBuildError(message) from None
