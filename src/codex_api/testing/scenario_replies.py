"""The replies of a scenario file, as scenarios."""

from __future__ import annotations

import base64
import binascii
import json
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from codex_api.testing import builders, faults, scenarios
from codex_api.testing.fault_names import FaultSpecError, NamedFault, named_fault, parse_fault
from codex_api.testing.scenario_format import Output
from codex_api.testing.scenarios import Scenario
from codex_api.testing.wire import object_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import NoReturn, Protocol

    from codex_api.testing.scenario_format import Call, Delay, FaultTable, Image, Reply, Usage
    from codex_api.testing.source_lines import Path as Place

    class Complain(Protocol):
        """Refuses a file for what stands at a place."""

        def __call__(self, place: Place, message: str, /) -> NoReturn:
            """Raise."""
            ...


class ReplyReader:
    """Makes scenarios of replies.

    Args:
        complain: Refuses the file.
        folder: Where files that it names are looked for.
    """

    def __init__(self, complain: Complain, folder: Path) -> None:
        self.complain: Complain = complain
        self._folder = folder

    def reply(self, reply: Reply, place: Place) -> Callable[[int], Scenario]:
        """Return what makes the scenario of a request, from its seed."""
        whole = self._whole_answer(reply, place)
        if whole is not None:
            return partial(_as_it_is, whole)
        outputs = self._outputs(reply, place)
        named = self.faults(reply.faults, (*place, "faults"))
        scenario = replace(
            outputs or Scenario(),
            events=None if reply.events is None else tuple(reply.events),
            usage=_usage(reply.usage),
            headers=reply.headers,
            omitted_headers=frozenset(name.lower() for name in reply.without_headers),
        )
        if outputs is not None and reply.events is not None:
            self.complain((*place, "events"), "takes the place of what is put out: leave one out")
        return partial(_made, scenario, named, reply.delay)

    def _whole_answer(self, reply: Reply, place: Place) -> Scenario | None:
        if reply.fail is not None:
            make: Callable[..., Scenario] = getattr(scenarios, reply.fail)
            made = make()
        elif reply.status is not None:
            made = _answer(reply)
        else:
            for key in ("error", "body", "retry_after"):
                if getattr(reply, key) is not None:
                    self.complain((*place, key), "belongs to an answer with a status: give one")
            return None
        headers = {**made.headers, **reply.headers}
        if reply.retry_after is not None:
            headers["retry-after"] = f"{reply.retry_after:g}"
        for key in ("say", "refuse", "think", "call", "image", "outputs", "events", "delay"):
            if getattr(reply, key) is not None:
                self.complain((*place, key), "cannot stand beside a status")
        dropped = frozenset(name.lower() for name in reply.without_headers)
        kept = {name: value for name, value in headers.items() if name.lower() not in dropped}
        return replace(made, headers=kept)

    def _outputs(self, reply: Reply, place: Place) -> Scenario | None:
        calls = reply.call if isinstance(reply.call, list) else [reply.call]
        listed = [
            (Output(think=reply.think), place),
            (Output(say=reply.say), place),
            (Output(refuse=reply.refuse), place),
            *(
                (
                    Output(call=each),
                    (*place, "call", *([at] if isinstance(reply.call, list) else ())),
                )
                for at, each in enumerate(calls)
            ),
            (Output(image=reply.image), place),
        ]
        listed = [each for each in listed if each[0] != Output()]
        if reply.outputs is not None:
            if listed:
                self.complain((*place, "outputs"), "cannot stand beside say, call and the like")
            listed = [((each), (*place, "outputs", at)) for at, each in enumerate(reply.outputs)]
            if not listed:
                return Scenario(outputs=())
        made = [self._output(each, where) for each, where in listed]
        return sum(made[1:], made[0]) if made else None

    def _output(self, output: Output, place: Place) -> Scenario:
        given = {
            key: value for key, value in msgspec.structs.asdict(output).items() if value is not None
        }
        if len(given) != 1:
            self.complain(place, "has to have one of say, refuse, think, call and image")
        if output.say is not None:
            return builders.say(output.say)
        if output.refuse is not None:
            return builders.refuse(output.refuse)
        if output.think is not None:
            parts = [output.think] if isinstance(output.think, str) else output.think
            return builders.think(*parts)
        if output.call is not None:
            return self._call(output.call, place)
        assert output.image is not None  # noqa: S101 - one of them is given
        return builders.draw(
            self._image(output.image, (*place, "image")), prompt=output.image.prompt
        )

    def _call(self, call: Call, place: Place) -> Scenario:
        given = [key for key in ("arguments", "input", "pieces") if getattr(call, key) is not None]
        if "arguments" in given and len(given) > 1:
            self.complain((*place, given[1]), "cannot stand beside arguments")
        if call.input is not None:
            text = call.input if call.pieces is None else call.pieces
            return builders.call_custom(call.tool, text, namespace=call.namespace)
        if isinstance(call.arguments, dict):
            text = json.dumps(call.arguments, ensure_ascii=False)
            return builders.call(call.tool, text, namespace=call.namespace)
        told = call.pieces if call.arguments is None else call.arguments
        return builders.call(call.tool, "{}" if told is None else told, namespace=call.namespace)

    def _image(self, image: Image, place: Place) -> bytes:
        if (image.file is None) == (image.base64 is None):
            self.complain(place, "has to have file or base64")
        try:
            if image.base64 is not None:
                return base64.b64decode(image.base64, validate=True)
            return (self._folder / str(image.file)).read_bytes()
        except binascii.Error:
            self.complain((*place, "base64"), "is no base64")
        except OSError as exc:
            self.complain((*place, "file"), f"cannot be read: {exc.strerror}")

    def faults(self, listed: Sequence[str | FaultTable], place: Place) -> tuple[NamedFault, ...]:
        """Return the faults of a list."""
        made: list[NamedFault] = []
        for at, each in enumerate(listed):
            try:
                made.append(parse_fault(each) if isinstance(each, str) else _fault(each))
            except FaultSpecError as exc:
                self.complain((*place, at), str(exc))
        return tuple(made)


def _as_it_is(scenario: Scenario, seed: int) -> Scenario:
    del seed
    return scenario


def _made(
    scenario: Scenario, named: tuple[NamedFault, ...], delay: Delay | None, seed: int
) -> Scenario:
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    struck = [each.fault for each in named if each.strikes(dice)]
    if delay is not None:
        waits = faults.delayed(delay.first, delay.each, spread=delay.spread, seed=seed)
        struck.insert(0, waits)
    return replace(scenario, faults=tuple(struck))


def _answer(reply: Reply) -> Scenario:
    status = reply.status or 0
    if reply.error is not None:
        error = {
            "message": "Scripted failure.",
            "type": "server_error",
            "param": None,
            "code": None,
        }
        return Scenario(status=status, body={"error": {**error, **reply.error}})
    if reply.body is None and status >= 400:  # noqa: PLR2004 - where failures begin
        return scenarios.http_error(status)
    return Scenario(status=status, body=reply.body or b"")


def _usage(usage: Usage | None) -> Mapping[str, Any] | None:
    if usage is None:
        return None
    names = ("input_tokens", "output_tokens", "total_tokens")
    made = {name: getattr(usage, name) for name in names if getattr(usage, name) is not None}
    if usage.total_tokens is None and len(made) == 2:  # noqa: PLR2004 - both parts
        made["total_tokens"] = sum(made.values())
    if usage.cached_tokens is not None:
        details = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0}
        made["input_tokens_details"] = details
    if usage.reasoning_tokens is not None:
        made["output_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return made


def _fault(table: FaultTable) -> NamedFault:
    if table.name == "inject":
        event: dict[str, Any] = object_of(table.values.get("event"))
        after: object = table.values.get("after", 2)
        if not event or not isinstance(after, int) or set(table.values) - {"event", "after"}:
            raise FaultSpecError("inject takes event, a table, and after, a number")
        return NamedFault("inject", faults.inject(event, after=after), table.chance)
    return NamedFault(table.name, named_fault(table.name, table.values), table.chance)
