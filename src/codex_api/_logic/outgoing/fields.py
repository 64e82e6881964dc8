"""The values of a request, checked against their declared types before anything is sent.

The types are the single source: their literals, bounds and patterns are what is checked, and what
the error says was expected.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin
from urllib.parse import quote

import msgspec

from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCATED = cache(partial(re.compile, r"(?P<what>.*?) - at `\$\.?(?P<path>[^`]*)`\Z", re.DOTALL))
# An abstract class is asked slowly, and sequences are mostly one of the others.
_SEQUENCES = (list, tuple, Sequence)
_TEXTS = (str, bytes, bytearray)
_NAME = cache(partial(re.compile, r"[A-Za-z_]\w*"))


def check_fields(request: msgspec.Struct, subject: str) -> None:
    """Check every field of ``request`` against its type.

    Args:
        subject: What the error calls the request, such as ``search request``.

    Raises:
        RequestBuildError: A value is not legal; the error names its path and what is expected.
    """
    try:
        plain = msgspec.to_builtins(request)
    except TypeError as exc:
        message = f"illegal value in the {subject}: {exc}"
        raise RequestBuildError(message) from exc
    try:
        msgspec.convert(plain, type(request))
    except msgspec.ValidationError as exc:
        match = _LOCATED().match(str(exc))
        what, path = (match["what"], match["path"]) if match else (str(exc), "")
        expected = "".join(f"; expected one of {names}" for names in _allowed(request, path))
        message = f"illegal `{path}` in the {subject}: {what}{expected}"
        raise RequestBuildError(message) from exc


def require_text(value: object, field: str, subject: str, expected: str) -> None:
    """Check a text that has to say something.

    Raises:
        RequestBuildError: ``value`` is blank, or no text.
    """
    if isinstance(value, str) and value.strip():
        return
    found = "blank" if isinstance(value, str) else type(value).__name__
    raise illegal(field, subject, f"it is {found}, expected {expected}")


def path_id(value: str, field: str, expected: str) -> str:
    """Return the id of something that the server keeps, as one segment of a path.

    Raises:
        RequestBuildError: It is blank, no text, or one that would name what lies above.
    """
    require_text(value, field, "call", expected)
    # Servers and proxies take a dot for one in any spelling (RFC 3986, 6.2.2.3).
    if value in {".", ".."}:
        raise illegal(field, "call", f"it is {value!r}, expected {expected}")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        what = f"it holds half of a character, expected {expected}"
        raise illegal(field, "call", what) from None


def require_list(value: object, field: str, subject: str, expected: str) -> None:
    """Check a list, which may be empty.

    Raises:
        RequestBuildError: ``value`` is no sequence, or one of characters or bytes.
    """
    if isinstance(value, _SEQUENCES) and not isinstance(value, _TEXTS):
        return
    raise illegal(field, subject, f"it is {type(value).__name__}, expected {expected}")


def illegal(field: str, subject: str, expected: str) -> RequestBuildError:
    """Make the error for a field that a rule beyond its type forbids."""
    return RequestBuildError(f"illegal `{field}` in the {subject}: {expected}")


def _allowed(request: msgspec.Struct, path: str) -> Iterator[str]:
    found: Any = type(request)
    for name in _NAME().findall(path):
        owner = next((part for part in _parts(found) if _is_struct(part)), None)
        if owner is None:
            return
        types = {field.encode_name: field.type for field in msgspec.structs.fields(owner)}
        found = types.get(name)
    names = [
        str(value)
        for part in _parts(found)
        if get_origin(part) is Literal
        for value in get_args(part)
    ]
    if names:
        yield ", ".join(names)


def _parts(annotation: object) -> Iterator[Any]:
    """Take unions, sequences and annotations apart, down to classes and literals."""
    if get_origin(annotation) is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif get_origin(annotation) is None or get_origin(annotation) is Literal:
        yield annotation
    else:
        for part in get_args(annotation):
            yield from _parts(part)


def _is_struct(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)
