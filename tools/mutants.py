"""Change the library's decisions one at a time, and see whether a test notices each change.

``make mutants`` takes the modules of ``mutants.toml``; ``make mutants ARGS="sse retry"`` takes
those whose path ends so. A change that no test notices is shown with its line. Either a test is
missing, or nobody could see the change: such stand in that file with the reason, for as long as the
code is as they say. Of the others ``LEAST`` must be noticed, in each module.

A process collects the module's own tests once and forks for each mutant: the child puts the changed
code into the functions that are there already, and runs the tests until one fails. What a change
outside of functions does shows only when the module is imported anew, which takes a process of its
own.

A test that never ends has noticed the change, too. That is told by the work that it does, measured
against the tests without a change, so that a busy machine kills nothing. A child that waits instead
of working is not counted as noticed.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import inspect
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import Phase, settings

from tools.mutations import Mutant, mutants

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ROOT: Final = Path(__file__).parents[1]
TARGETS: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
LEAST: Final = 0.95
#: Seconds of work, and times the work of the tests without a change, before a child has no end.
GRACE: Final = 10
TIMES: Final = 4
#: Seconds in which a child may wait without working.
PATIENCE: Final = 300
#: A change may also gather bytes without an end.
MAX_BYTES: Final = 4 << 30
#: How a child ends that could not put its change in.
_ALONE: Final = 86
ENDLESS: Final = 87

_HOLDERS: Final = (
    (property, "fget"),
    (cached_property, "func"),
    (classmethod, "__func__"),
    (staticmethod, "__func__"),
)


def graft(old: object, new: object, module: str) -> None:
    """Put the code of ``new`` into the functions of ``old``, whoever holds them."""
    for name, value in list(vars(new).items()):
        before: Any = vars(old).get(name)
        while hasattr(value, "__wrapped__") and hasattr(before, "__wrapped__"):
            before, value = before.__wrapped__, value.__wrapped__  # noqa: PLW2901 - unwrapped
        for kind, inner in _HOLDERS:
            if isinstance(value, kind) and isinstance(before, kind):
                before, value = getattr(before, inner), getattr(value, inner)  # noqa: PLW2901
        if inspect.isfunction(before) and inspect.isfunction(value):
            before.__code__ = value.__code__
        elif inspect.isclass(before) and inspect.isclass(value) and value.__module__ == module:
            graft(before, value, module)


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the changed module instead of the real one."""

    def __init__(self, target: str, source: str) -> None:
        self._name = module_of(target)
        self._path = path_of(target)
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the one module."""
        del path, target
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed module."""
        exec(compile(self._source, str(self._path), "exec"), module.__dict__)  # noqa: S102 - ours


def module_of(target: str) -> str:
    """Return the name of a module of ``TARGETS``."""
    return f"codex_api.{target.replace('/', '.')}"


def path_of(target: str) -> Path:
    """Return the file of a module of ``TARGETS``."""
    return ROOT / "src" / "codex_api" / f"{target}.py"


class Child:
    """A process that runs the tests, with a change or without.

    Args:
        work: What it does; returns 0 where nothing is noticed.
        seconds: Of work, before it is stopped.

    Attributes:
        code: How it ended; None while it runs, and when it had to be stopped while it waited.
        seconds: How long it worked.
    """

    def __init__(self, work: Callable[[], int], seconds: int) -> None:
        self.code: int | None = None
        self.seconds = 0.0
        self._deadline = time.monotonic() + PATIENCE + 10 * seconds
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                resource.setrlimit(resource.RLIMIT_DATA, (MAX_BYTES, MAX_BYTES))
                code = work()
            finally:
                os._exit(code)

    def is_done(self) -> bool:
        """See whether it has ended, or has waited too long."""
        done, status, used = os.wait4(self._pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            self.code = ENDLESS if code in {-signal.SIGXCPU, -signal.SIGKILL} else code
            self.seconds = used.ru_utime + used.ru_stime
        elif time.monotonic() > self._deadline:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            return True
        return bool(done)

    def wait(self) -> int | None:
        """Wait for its end."""
        while not self.is_done():
            time.sleep(0.005)
        return self.code


class Forks:
    """Runs the collected tests once for each mutant, instead of once.

    Attributes:
        left: The mutants that were not noticed.
        endless: How many were noticed because the tests did not end.
    """

    def __init__(self, target: str, found: list[Mutant], workers: int) -> None:
        self.left: list[Mutant] = []
        self.endless = 0
        self._target, self._found, self._workers = target, found, workers
        self._running: list[tuple[Mutant, Child]] = []
        self._seconds = PATIENCE

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        with tempfile.NamedTemporaryFile() as told:
            first = Child(lambda: run(session, Path(told.name)), PATIENCE)
            if first.wait() != 0:
                message = f"the tests of {self._target} fail without a change"
                raise pytest.UsageError(message)
            seconds = dict(zip(session.items, json.loads(told.read()), strict=True))
        session.items.sort(
            key=lambda item: seconds[item]
        )  # most changes are noticed by a cheap one
        self._seconds = int(GRACE + TIMES * first.seconds)
        for mutant in self._found:
            self._begin(mutant, lambda mutant=mutant: self._work(session, mutant))  # type: ignore[misc]  # bound now
        while self._running:
            self._reap()
        return True

    def _begin(self, mutant: Mutant, work: Callable[[], int]) -> None:
        while len(self._running) >= self._workers:
            self._reap()
        self._running.append((mutant, Child(work, self._seconds)))

    def _reap(self) -> None:
        time.sleep(0.005)
        for mutant, child in [each for each in self._running if each[1].is_done()]:
            self._running.remove((mutant, child))
            if child.code == _ALONE:
                self._begin(mutant, lambda mutant=mutant: alone(self._target, mutant))  # type: ignore[misc]  # bound now
            elif not child.code:
                self.left.append(mutant)
            self.endless += child.code == ENDLESS

    def _work(self, session: pytest.Session, mutant: Mutant) -> int:
        if not mutant.is_inside:
            return _ALONE
        module = importlib.import_module(module_of(self._target))
        changed = {"__name__": module.__name__, "__file__": module.__file__}
        try:
            exec(compile(mutant.tree, str(module.__file__), "exec"), changed)  # noqa: S102 - ours
            graft(module, SimpleNamespace(**changed), module.__name__)
        except ValueError:  # a name of the outer function that is not used any more
            return _ALONE
        return run(session)


def run(session: pytest.Session, told: Path | None = None) -> int:
    """Run the collected tests until one fails, and tell how many seconds each worked."""
    seconds: list[float] = []
    for item, following in zip_longest(session.items, session.items[1:]):
        before = time.process_time()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        seconds.append(time.process_time() - before)
        if session.testsfailed:
            return 1
    if told is not None:
        told.write_text(json.dumps(seconds))
    return 0


#: This program has imported some of what pytest would like to import itself.
_KNOWN: Final = "ignore::pytest.PytestAssertRewriteWarning"


def own_tests(target: str, *plugins: object) -> int:
    """Run the tests of a module, with the same examples each time and as slow as they like."""
    # The first example that fails will do: nobody reads the smallest.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutants", deadline=None, derandomize=True, phases=phases)
    options = ["-x", "-q", "--timeout=0", "--hypothesis-profile=mutants"]
    for plugin in ("cacheprovider", "xdist", "inline_snapshot"):
        options += ["-p", f"no:{plugin}"]
    return int(pytest.main([*options, "-W", _KNOWN, *TARGETS[target]["tests"]], plugins))


def alone(target: str, mutant: Mutant) -> int:
    """Run the tests of a module in a new process that imports a mutant in its place."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(ast.unparse(mutant.tree))
        file.flush()
        command = [sys.executable, "-m", __spec__.name, "--alone", target, file.name]
        code = subprocess.run(command, check=False).returncode
    return ENDLESS if code in {-signal.SIGXCPU, -signal.SIGKILL} else code


def found_in(target: str) -> list[Mutant]:
    """Return the mutants of a module that somebody could see."""
    known = TARGETS[target].get("nobody_sees", {})
    every = mutants(path_of(target).read_text())
    if gone := known.keys() - {mutant.text for mutant in every}:
        sys.exit(f"{target}: no such changes any more: {sorted(gone)}")
    return [mutant for mutant in every if mutant.text not in known]


def take(target: str, workers: int) -> None:
    """Print how many mutants of a module are noticed, and those that are not."""
    found = found_in(target)
    forks = Forks(target, found, workers)
    if code := own_tests(target, forks):
        raise SystemExit(code)
    endless = f", {forks.endless} by no end" if forks.endless else ""
    noticed = len(found) - len(forks.left)
    print(f"{target}: {noticed} of {len(found)} noticed{endless}", flush=True)
    for mutant in sorted(forks.left, key=lambda mutant: mutant.line):
        print(f"  {mutant.line}: {mutant.text}", flush=True)


def main() -> None:
    """Take the modules that the command names, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="*", help="ends of paths, such as sse")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--alone", action="store_true", help="for its own use")
    parser.add_argument("--one", action="store_true", help="for its own use")
    options = parser.parse_args()
    os.chdir(ROOT)
    if options.alone:
        target, changed = options.modules
        sys.meta_path.insert(0, Changed(target, Path(changed).read_text()))
        importlib.import_module(module_of(target))  # before pytest puts its own finder first
        sys.exit(own_tests(target))
    if options.one:
        take(options.modules[0], options.workers)
        return
    wanted = tuple(f"/{name}" for name in options.modules)
    made = noticed = 0
    low: list[str] = []
    for target in TARGETS:
        if wanted and not f"/{target}".endswith(wanted):
            continue
        # Each in a process that has imported nothing of the library.
        command = [sys.executable, "-m", __spec__.name, "--one", target]
        command += ["--workers", str(options.workers)]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.stdout + f"{target}: no result")
        told = done.stdout[done.stdout.rindex(f"{target}: ") :]
        print(told, end="", flush=True)
        some, count = map(int, re.findall(r": (\d+) of (\d+) noticed", told)[0])
        made, noticed = made + count, noticed + some
        if some < LEAST * count:
            low.append(target)
    print(f"{noticed} of {made} noticed; in each module {LEAST:.0%} are to be")
    sys.exit(f"too few: {', '.join(low)}" if low else 0)


if __name__ == "__main__":
    main()
