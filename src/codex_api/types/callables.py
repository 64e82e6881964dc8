"""What a callable says of itself: its name, its parameters, and the words of its docstring.

A class, an object with ``__call__``, a ``functools.partial`` and what wraps another function each
keep these in another place. Docstrings are read in the three styles in use: a section ``Args``
(Google), an underlined ``Parameters`` (NumPy), and fields ``:param name:`` (Sphinx).
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from codex_api.transport.errors import RequestBuildError
from codex_api.types.structured import schema_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ARGS = cache(partial(re.compile, r"(?:Args|Arguments|Parameters|Params):\s*"))
_SECTION = cache(partial(re.compile, r"[A-Z][A-Za-z ]*:\s*"))
_ENTRY = cache(partial(re.compile, r"\*{0,2}(?P<name>\w+)(?:\s*\(.*?\))?:(?:\s+(?P<text>.*))?"))
_UNDERLINE = cache(partial(re.compile, r"-{3,}\s*"))
_NUMPY_ENTRY = cache(partial(re.compile, r"(?P<names>\*{0,2}\w+(?:, *\*{0,2}\w+)*)(?:\s*:.*)?"))
_FIELD = cache(partial(re.compile, r":(?P<kind>\w+)(?P<words>(?:\s+[^:\s]+)*)\s*:\s*(?P<text>.*)"))
_PARAM_FIELDS = frozenset(("param", "parameter", "arg", "argument", "key", "keyword"))
# What a field of pydantic has to say besides its constraints and its description.
_FIELD_WORDS = ("title", "examples", "discriminator", "json_schema_extra")
# Parameters that take no single argument by name.
_UNNAMED = frozenset(
    (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    )
)


class CalledParameter(NamedTuple):
    """A parameter that a model may give.

    Attributes:
        type: Its annotation, resolved; a pydantic ``Field`` that is the default stands in it.
        default: ``inspect.Parameter.empty`` for none.
        text: What its annotation says of it, such as ``Annotated[int, "how many"]``; empty for
            nothing.
        field: The pydantic ``Field`` that has the default in place of the function, or None.
    """

    type: Any
    default: Any
    text: str
    field: Any = None

    @property
    def is_optional(self) -> bool:
        """Whether it may be left out."""
        return self.default is not inspect.Parameter.empty

    def made_default(self, given: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the field has
        """Return the default that ``field`` has, made anew where it has a factory.

        Args:
            given: The arguments that were given, which a factory may ask for.
        """
        # Releases before 2.10 know no factories with arguments.
        if getattr(self.field, "default_factory_takes_validated_data", False):
            return self.field.get_default(call_default_factory=True, validated_data=given)
        return self.field.get_default(call_default_factory=True)


def called_name(function: Callable[..., Any]) -> str:
    """Return the name of a callable in the letters that the server allows."""
    target = _unwrapped(function)
    return schema_name(target if hasattr(target, "__name__") else type(target))


def gives_awaitable(function: object) -> bool:
    """Return whether calling it gives something to await, and runs nothing before."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(_called(function))


def refuse_generator(function: Callable[..., Any]) -> None:
    """Refuse a generator: to call it runs nothing of it.

    Raises:
        RequestBuildError: It is one.
    """
    called = _called(function)
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        name = called_name(function)
        message = f"{name} is a generator, of which a call runs nothing: return what it yields"
        raise RequestBuildError(message)


def _called(function: object) -> object:
    """Return the function behind a partial, or behind an object with ``__call__``."""
    target: object = _unwrapped(function)
    is_function = inspect.isroutine(target) or inspect.isclass(target)
    # Not asked whether it can be called.
    return target if is_function else getattr(type(target), "__call__", None)  # noqa: B004


def parameters_of(function: Callable[..., Any]) -> dict[str, CalledParameter]:
    """Return the parameters by name, in order.

    Raises:
        RequestBuildError: A parameter has no name or no type.
    """
    name = called_name(function)
    try:
        signature = inspect.signature(function)
        hints = _hints(function)
    except (TypeError, ValueError, NameError) as exc:
        message = f"the signature of {name} cannot be read: {exc}"
        raise RequestBuildError(message) from exc
    found: dict[str, CalledParameter] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in _UNNAMED:
            message = f"{name}: {parameter} cannot be given by name, so a model cannot give it"
            raise RequestBuildError(message)
        if parameter.name not in hints:
            message = f"{name}: the parameter {parameter.name} has no type"
            raise RequestBuildError(message)
        found[parameter.name] = _parameter(hints[parameter.name], parameter.default)
    return found


def _parameter(type_: Any, default: Any) -> CalledParameter:  # noqa: ANN401 - as it was written
    if type_ is object:
        type_ = Any
    text = _annotated_text(type_)
    if _is_field(default):
        text = default.description or text
        type_ = Annotated[type_, default]
        default = inspect.Parameter.empty
    fields = [note for note in _notes(type_) if _is_field(note)]
    if not fields:
        return CalledParameter(type_, default, text)
    # What stands as the default is the last, and counts before what the annotation has.
    field = next((one for one in reversed(fields) if not one.is_required()), None)
    if default is not inspect.Parameter.empty:
        field = None
    elif field is not None:
        default = None if field.default_factory else field.default
    return CalledParameter(_without_names(type_), default, text, field)


def _is_field(value: object) -> bool:
    """Return whether it is a ``Field`` of pydantic, or of what is built on it."""
    return any(
        (base.__module__, base.__name__) == ("pydantic.fields", "FieldInfo")
        for base in type(value).__mro__
    )


def _notes(type_: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any annotation
    return get_args(type_)[1:] if get_origin(type_) is Annotated else ()


def _without_names(type_: Any) -> Any:  # noqa: ANN401 - any annotation
    """Take aliases and defaults out of the fields: the parameter has its own name and default."""
    # Not a dependency: who has such a field has it.
    from pydantic import Field  # noqa: PLC0415

    notes: list[Any] = []
    for note in _notes(type_):
        if not _is_field(note):
            notes.append(note)
            continue
        said = {name: getattr(note, name, None) for name in _FIELD_WORDS}
        kept = {name: value for name, value in said.items() if value is not None}
        notes += [*note.metadata, Field(**kept)]
    return Annotated[(get_args(type_)[0], *notes)]


def _unwrapped(function: Any) -> Any:  # noqa: ANN401 - any callable
    while isinstance(function, partial):
        function = function.func
    return function


def _hints(function: Any) -> dict[str, Any]:  # noqa: ANN401 - any callable
    target = _unwrapped(function)
    if inspect.isclass(target):
        if hasattr(target, "model_fields"):
            return _hints_of_model(target)
        # A dataclass tells its fields, another class what it is made with.
        of_class = get_type_hints(target, include_extras=True)
        # What is made of annotations has the same ones, under names that only its maker knows.
        made = {each.name for each in _parameters(target)}
        if dataclasses.is_dataclass(target) and made <= of_class.keys():
            return of_class
        return of_class | get_type_hints(target.__init__, include_extras=True)
    if not hasattr(target, "__name__"):
        target = type(target).__call__
    return get_type_hints(target, include_extras=True)


def _hints_of_model(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a class of pydantic
    # Its arguments may have other names than its fields.
    texts = {field.alias or name: field.description for name, field in model.model_fields.items()}
    return {
        each.name: Annotated[each.annotation, text] if text else each.annotation
        for each in _parameters(model)
        for text in (texts.get(each.name),)
    }


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return [*inspect.signature(function).parameters.values()]


def _annotated_text(type_: Any) -> str:  # noqa: ANN401 - any annotation
    texts = (note.description if _is_field(note) else note for note in _notes(type_))
    return next((text for text in texts if text and isinstance(text, str)), "")


def _own_docstring(function: Any) -> str:  # noqa: ANN401 - any callable
    """Return the docstring that was written for this callable, not for a class above it."""
    target = _unwrapped(function)
    if inspect.isclass(target):
        text = vars(target).get("__doc__") or ""
        # A dataclass without one is given its signature.
        is_made = dataclasses.is_dataclass(target) and text.startswith(f"{target.__name__}(")
        return "" if is_made else inspect.cleandoc(text)
    if not hasattr(target, "__name__"):
        return inspect.cleandoc(type(target).__call__.__doc__ or "") or _own_docstring(type(target))
    return inspect.getdoc(target) or ""


def read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the first paragraph of a docstring, and what it says of each parameter by name."""
    lines = [line.rstrip() for line in _own_docstring(function).splitlines()]
    found: dict[str, str] = {}
    first: list[str] = []
    is_first = True
    at = 0
    while at < len(lines):
        end = _part_end(lines, at)
        if end == at:
            is_first = is_first and bool(lines[at])
            first += [lines[at].strip()] if is_first else []
            at += 1
            continue
        is_first = False
        found |= _described(lines[at:end])
        at = end
    return " ".join(first), found


def _part_end(lines: Sequence[str], at: int) -> int:
    """Return where the section or field ends that begins here; ``at`` itself when none does."""
    if _is_underlined(lines, at):
        following = range(at + 2, len(lines))
        return next((end for end in following if _is_underlined(lines, end)), len(lines))
    end = at + 1
    if _FIELD().fullmatch(lines[at]):
        while end < len(lines) and lines[end].startswith(" "):
            end += 1
        return end
    if _SECTION().fullmatch(lines[at]) and end < len(lines) and lines[end].startswith(" "):
        while end < len(lines) and (not lines[end] or lines[end].startswith(" ")):
            end += 1
        return end
    return at


def _is_underlined(lines: Sequence[str], at: int) -> bool:
    return (
        bool(lines[at])
        and at + 1 < len(lines)
        and _UNDERLINE().fullmatch(lines[at + 1]) is not None
    )


def _described(part: Sequence[str]) -> dict[str, str]:
    """Read the parameters out of one section or field; of others there are none."""
    field = _FIELD().fullmatch(part[0])
    if field is not None:
        words = field["words"].split()
        if field["kind"] not in _PARAM_FIELDS or not words:
            return {}
        return {words[-1].lstrip("*\\"): _joined([field["text"], *part[1:]])}
    if _ARGS().fullmatch(part[0]):
        return _google(part[1:])
    if part[0].strip() in {"Parameters", "Other Parameters"} and _UNDERLINE().fullmatch(part[1]):
        return _numpy(part[2:])
    return {}


def _google(lines: Sequence[str]) -> dict[str, str]:
    # The first entry says how far they all are in; what is farther in belongs to the one before.
    depth = next((_indent(line) for line in lines if line), 0)
    texts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        entry = _ENTRY().fullmatch(line.strip()) if _indent(line) <= depth else None
        if entry is not None:
            current = texts.setdefault(entry["name"], [entry["text"] or ""])
        else:
            current.append(line)
    return {name: _joined(text) for name, text in texts.items()}


def _numpy(lines: Sequence[str]) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        entry = _NUMPY_ENTRY().fullmatch(line)
        if entry is not None:
            current = []
            for name in entry["names"].split(","):
                texts[name.strip(" *")] = current
        else:
            current.append(line)
    return {name: _joined(text) for name, text in texts.items()}


def _joined(lines: Sequence[str]) -> str:
    return " ".join(text for line in lines if (text := line.strip()))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
