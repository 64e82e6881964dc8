"""Files that a command line names, read and checked before any call is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from codex_api._logic.outgoing.image_formats import check_url, data_url, is_url
from codex_api.transport.errors import RequestBuildError

_BOM = b"\xef\xbb\xbf"


def read_file(path: Path, option: str) -> bytes:
    """Read a file that ``option`` names.

    Raises:
        RequestBuildError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        message = f"{option} {path}: {exc.strerror or 'it cannot be read'}"
        raise RequestBuildError(message) from None


def read_history(path: Path, option: str = "--input") -> list[msgspec.Raw]:
    """Read items, a JSON list or one a line, each as it is, so that nothing of them is lost.

    Raises:
        RequestBuildError: It cannot be read, or does not hold JSON objects.
    """
    data = read_file(path, option).removeprefix(_BOM).strip()
    if data.startswith(b"["):
        places = [(f"item {n}", raw) for n, raw in enumerate(_list(data, f"{option} {path}"))]
    else:
        lines = enumerate(data.splitlines(), start=1)
        places = [(f"line {n}", msgspec.Raw(line)) for n, line in lines if line.strip()]
    for place, raw in places:
        _check_object(bytes(raw), f"{option} {path}: {place}")
    return [raw for _, raw in places]


def read_schema(path: Path, option: str = "--output-schema") -> dict[str, Any]:
    """Read a JSON Schema.

    Raises:
        RequestBuildError: It cannot be read, or is no JSON object.
    """
    data = read_file(path, option).removeprefix(_BOM)
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        message = f"{option} {path}: no JSON Schema: {exc}"
        raise RequestBuildError(message) from None


def read_tools(path: Path, option: str = "--tool") -> list[msgspec.Raw]:
    """Read a tool or a list of them, each as it is.

    Raises:
        RequestBuildError: It cannot be read, or does not hold JSON objects.
    """
    data = read_file(path, option).removeprefix(_BOM).strip()
    tools = _list(data, f"{option} {path}") if data.startswith(b"[") else [msgspec.Raw(data)]
    for number, tool in enumerate(tools):
        _check_object(bytes(tool), f"{option} {path}: tool {number}")
    return tools


def image_url(source: str, option: str = "--image") -> str:
    """Return a URL as it is, and a file as a data URL.

    Raises:
        RequestBuildError: The file cannot be read, or is no image, or the URL cannot be one.
    """
    shown = source[:80] + ("..." if len(source) > 80 else "")  # noqa: PLR2004 - a line's worth
    content = None if is_url(source) else read_file(Path(source), option)
    try:
        if content is None:
            check_url(source)
            return source
        return data_url(content)
    except ValueError as exc:
        message = f"{option} {shown}: {exc}"
        raise RequestBuildError(message) from None


def _list(data: bytes, where: str) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        message = f"{where}: no JSON list: {exc}"
        raise RequestBuildError(message) from None


def _check_object(data: bytes, where: str) -> None:
    try:
        msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        message = f"{where}: no JSON object: {exc}"
        raise RequestBuildError(message) from None
