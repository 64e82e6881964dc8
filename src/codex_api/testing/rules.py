"""Standing orders for an embedded server: which requests are answered how, and how often.

The first rule that fits answers. All that is left to chance depends on a seed and on what was
asked, not on the order in which requests of several callers arrive.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from codex_api.testing.matching import Match
from codex_api.testing.scenarios import Scenario, http_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codex_api.testing.fault_names import NamedFault
    from codex_api.testing.matching import Asked

Then = Literal["last", "first", "model", "refuse"]

#: A status that nobody retries, and that no server gives by itself.
UNEXPECTED_STATUS = 418
_SHOWN_CHARACTERS = 60


class ExpectationError(AssertionError):
    """What was asked is not what was expected; its text says what differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How requests of one kind are answered.

    Attributes:
        replies: The first such request gets the first, and so on; one that is a function makes
            its scenario for each request, from a seed.
        match: The kind. Without an endpoint it is about responses.
        name: For messages and expectations.
        then: What further requests get: the ``last`` reply again, all of them from the ``first``
            on, an answer of the ``model``, or a refusal that counts as unexpected.
    """

    replies: tuple[Scenario | Callable[[int], Scenario], ...]
    match: Match = field(default_factory=Match)
    name: str = ""
    then: Then = "last"

    def reply(self, number: int, seed: str) -> Scenario | Literal["model", "refuse"]:
        """Return what the request with this number, counted from 0, gets."""
        count = len(self.replies)
        if number >= count:
            if self.then in {"model", "refuse"}:
                return "model" if self.then == "model" else "refuse"
            number = count - 1 if self.then == "last" else number % count
        reply = self.replies[number]
        return reply if isinstance(reply, Scenario) else reply(_seed(seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """What goes wrong by chance.

    Attributes:
        faults: Each throws its own dice for each request.
        failures: Whole answers with their probabilities; the first that strikes is given.
        endpoint: Whose requests are meant; None is all.
    """

    faults: tuple[NamedFault, ...] = ()
    failures: tuple[tuple[float, Scenario], ...] = ()
    endpoint: str | None = "responses"

    def befall(self, scenario: Scenario, asked: Asked, seed: str) -> Scenario:
        """Return ``scenario`` as it is left."""
        if self.endpoint not in {None, asked.endpoint}:
            return scenario
        dice = random.Random(_seed(seed))  # noqa: S311 - to be repeated, not to be secret
        strikes = [dice.random() < chance for chance, _ in self.failures]
        struck = [each.fault for each in self.faults if each.strikes(dice)]
        for strike, (_, failure) in zip(strikes, self.failures, strict=True):
            if strike:
                return failure
        return replace(scenario, faults=(*scenario.faults, *struck)) if struck else scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """How often something has to be asked.

    Attributes:
        rule: By requests that this rule answered; None counts all.
        match: By requests that fit.
        at_least: None has no such bound.
        at_most: None has no such bound.
    """

    rule: str | None = None
    match: Match = field(default_factory=lambda: Match(endpoint=None))
    at_least: int | None = None
    at_most: int | None = None

    def complaint(self, asked: Sequence[tuple[str, Asked]]) -> str:
        """Say what is not as expected; an empty text where all is."""
        found = [one for name, one in asked if self.rule in {None, name} and self.match.fits(one)]
        low, high = self.at_least, self.at_most
        if (low is None or len(found) >= low) and (high is None or len(found) <= high):
            return ""
        if low == high:
            wanted = f"{low}"
        else:
            bounds = [f"at least {low}" if low is not None else ""]
            bounds.append(f"at most {high}" if high is not None else "")
            wanted = " and ".join(filter(None, bounds))
        what = f"requests for rule {self.rule!r}" if self.rule else "requests"
        shown = _conditions(self.match)
        return f"expected {wanted} {what}{f' with {shown}' if shown else ''}, got {len(found)}"


class Rules:
    """Rules, chance and expectations of one server; safe to share between threads.

    Args:
        rules: In the order in which they are tried.
        otherwise: What requests for responses get that no rule fits: the ``model``, or a refusal
            that counts as unexpected.
        chaos: What goes wrong by chance, with answers of rules and of the model alike.
        expectations: What `check` looks at.
        seed: Of all that is left to chance.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        otherwise: Literal["model", "refuse"] = "model",
        chaos: Chaos | None = None,
        expectations: Sequence[Expectation] = (),
        seed: int = 0,
    ) -> None:
        self._rules = list(rules)
        self._otherwise: Literal["model", "refuse"] = otherwise
        self._chaos = chaos
        self._expectations = list(expectations)
        self._seed = seed
        self._guard = threading.Lock()
        self._counts: Counter[int] = Counter()
        self._seen: Counter[str] = Counter()
        self._asked: list[tuple[str, Asked]] = []
        self._unexpected: list[str] = []

    @property
    def asked(self) -> list[tuple[str, Asked]]:
        """The requests so far, each with the name of the rule that answered it.

        A rule without a name is ``#1`` for the first, and so on; no rule is an empty text.
        """
        with self._guard:
            return list(self._asked)

    def choose(self, asked: Asked) -> Scenario:
        """Return how a request is answered, and count it."""
        with self._guard:
            scenario = self._reply(asked)
            if self._chaos is None or scenario.status is not None:
                return scenario
            digest = hashlib.sha256(asked.request.body).hexdigest()
            number = self._seen[digest]
            self._seen[digest] += 1
            return self._chaos.befall(scenario, asked, f"{self._seed}/{digest}/{number}")

    def check(self) -> None:
        """See whether what was asked is what was expected.

        Raises:
            ExpectationError: It is not, or something was asked that no rule was there for.
        """
        asked = self.asked
        complaints = [each.complaint(asked) for each in self._expectations]
        with self._guard:
            complaints += self._unexpected
        complaints = [each for each in complaints if each]
        if complaints:
            listed = [f"  {name or 'model'}: {_line(one)}" for name, one in asked]
            raise ExpectationError("\n".join([*complaints, "asked:", *(listed or ["  nothing"])]))

    def _reply(self, asked: Asked) -> Scenario:
        for at, rule in enumerate(self._rules):
            if (rule.match.endpoint or "responses") != asked.endpoint or not rule.match.fits(asked):
                continue
            number = self._counts[at]
            self._counts[at] += 1
            name = rule.name or f"#{at + 1}"
            self._asked.append((name, asked))
            reply = rule.reply(number, f"{self._seed}/{at}/{number}")
            if isinstance(reply, Scenario):
                return reply
            return Scenario() if reply == "model" else self._refusal(asked, name)
        self._asked.append(("", asked))
        if self._otherwise == "refuse" and asked.endpoint == "responses":
            return self._refusal(asked, "")
        return Scenario()

    def _refusal(self, asked: Asked, name: str) -> Scenario:
        why = f"rule {name!r} has no further reply" if name else "no rule fits"
        told = f"{why}: {_line(asked)}"
        self._unexpected.append(told)
        return http_error(UNEXPECTED_STATUS, told, kind="unexpected_request")


def _line(asked: Asked) -> str:
    parts = [asked.request.method, asked.request.path, asked.model]
    text = " ".join(asked.text.split())
    if text:
        shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
        parts.append(f'"{shown}"')
    parts += [f'{name or "a tool"} -> "{output[:20]}"' for name, output in asked.tool_outputs]
    return " ".join(filter(None, parts))


def _conditions(match: Match) -> str:
    names = ("endpoint", "model", "text", "tool", "tool_output", "turn", "headers")
    given = {name: getattr(match, name) for name in names if getattr(match, name)}
    return ", ".join(f"{name} {value!r}" for name, value in given.items())


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
