"""Faults by their names, for files and command lines: ``cut:after=2,how=reset``.

The functions of `codex_api.testing.faults` that take plain values are known; those that take a
function or a gate make sense in Python only.
"""

from __future__ import annotations

import difflib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from codex_api.testing import faults

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from codex_api.testing.steps import Fault

NAMES: tuple[str, ...] = (
    "binary",
    "close_frame",
    "commented",
    "comments_only",
    "cut",
    "delayed",
    "dropped",
    "failed",
    "garbage",
    "in_pieces",
    "incomplete",
    "keep_open",
    "oversized",
    "slow",
    "stall",
)


class FaultSpecError(ValueError):
    """A fault that there is not, or with values that it does not take."""


@dataclass(frozen=True, slots=True)
class NamedFault:
    """A fault that strikes sometimes.

    Attributes:
        probability: From 0 to 1; 1 is always.
    """

    name: str
    fault: Fault
    probability: float = 1.0

    def strikes(self, dice: random.Random) -> bool:
        """Throw the dice, also where the result is certain, so that a seed means the same."""
        return dice.random() < self.probability


def named_fault(name: str, values: Mapping[str, Any]) -> Fault:
    """Make the fault ``name``.

    Args:
        values: Its keyword arguments; of `dropped` the list ``types``. A fault that counts events
            strikes after two of them where ``after`` is missing.

    Raises:
        FaultSpecError: There is no such fault, or it takes no such value.
    """
    if name not in NAMES:
        message = f"no fault {name!r}{_nearest(name, NAMES)}"
        raise FaultSpecError(message)
    make: Callable[..., Fault] = getattr(faults, name)
    if name == "dropped":
        types = values.get("types", ())
        if set(values) != {"types"}:
            raise FaultSpecError("dropped takes types, a list of types of events")
        return make(*([types] if isinstance(types, str) else types))
    parameters = inspect.signature(make).parameters
    known = [key for key, one in parameters.items() if one.kind is not one.VAR_KEYWORD]
    hints = get_type_hints(make, {**vars(faults), **_annotations()})
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            message = f"{name} takes no {key!r}{_nearest(key, known)}"
            raise FaultSpecError(message)
        arguments[key] = _checked(f"{key} of {name}", hints[key], value)
    if "after" in known:
        arguments.setdefault("after", 2)
    missing = [key for key in known if parameters[key].default is inspect.Parameter.empty]
    absent = [key for key in missing if key not in arguments]
    if absent:
        message = f"{name} needs {', '.join(absent)}"
        raise FaultSpecError(message)
    return make(**arguments)


def parse_fault(spec: str) -> NamedFault:
    """Read ``NAME``, ``NAME:KEY=VALUE,...`` or either with ``@PROBABILITY`` behind it.

    Raises:
        FaultSpecError: It is not of this form, or there is no such fault.
    """
    rest, at, chance = spec.partition("@")
    name, _, listed = rest.partition(":")
    values: dict[str, Any] = {}
    for pair in filter(None, (each.strip() for each in listed.split(","))):
        key, equals, value = pair.partition("=")
        if not equals:
            message = f"{pair!r} in {spec!r} is not KEY=VALUE"
            raise FaultSpecError(message)
        values[key.strip()] = value.strip().split("+") if key == "types" else value.strip()
    try:
        probability = float(chance) if at else 1.0
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        message = f"{chance!r} in {spec!r} is no probability from 0 to 1"
        raise FaultSpecError(message)
    return NamedFault(name.strip(), named_fault(name.strip(), values), probability)


def _annotations() -> dict[str, Any]:
    """Return the names that `faults` imports for type checkers only."""
    from collections import abc  # noqa: PLC0415 - resolves annotations

    import codex_api.testing.gate  # noqa: PLC0415 - resolves annotations
    import codex_api.testing.wire  # noqa: PLC0415 - resolves annotations

    return {
        **{name: getattr(abc, name) for name in ("Callable", "Iterable", "Iterator")},
        "Gate": codex_api.testing.gate.Gate,
        "JsonObject": codex_api.testing.wire.JsonObject,
    }


def _checked(where: str, wanted: Any, value: Any) -> Any:  # noqa: ANN401 - of a file
    """Return ``value`` as the type ``wanted``; texts of a command line are read as one."""
    if get_origin(wanted) is not None and value in get_args(wanted):
        return value
    kinds: dict[Any, Callable[[Any], Any]] = {int: int, float: float, str: str, bytes: _bytes}
    for kind in (wanted, *get_args(wanted)):
        convert = kinds.get(kind)
        if convert is None or isinstance(value, bool):
            continue
        if kind is str and not isinstance(value, str):
            continue
        try:
            made = convert(value)
        except (TypeError, ValueError):
            continue
        if kind in {int, float} and made < 0:
            message = f"{where} is less than 0"
            raise FaultSpecError(message)
        return made
    choices = [repr(one) for one in get_args(wanted) if isinstance(one, str)]
    told = f"one of {', '.join(choices)}" if choices else getattr(wanted, "__name__", str(wanted))
    message = f"{where} is {value!r}, and should be {told}"
    raise FaultSpecError(message)


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    raise TypeError


def _nearest(name: str, names: tuple[str, ...] | list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"; do you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(names))}"
