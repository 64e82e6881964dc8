"""Change the library's decisions one at a time, and see whether a test notices each change.

``make mutants`` takes the modules of ``TARGETS``; ``make mutants ARGS="sse retry"`` takes those
whose path ends so. A change that no test notices is shown with its line. Either a test is missing,
or nobody could see the change: such stand in ``EQUIVALENT`` with the reason. At least ``LEAST`` of
the others must be noticed.

A process collects the module's own tests once and forks for each mutant: the child puts the changed
code into the functions that are there already, and runs the tests until one fails. What a change
outside of functions does shows only when the module is imported anew, which takes a process of its
own.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import inspect
import os
import re
import signal
import subprocess
import sys
import time
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ROOT: Final = Path(__file__).parents[1]
LEAST: Final = 0.95
#: A child that takes longer waits for something that the change took away.
PATIENCE: Final = 60.0
#: Modules below src/codex_api, and the tests that are theirs.
TARGETS: Final = {
    "_logic/incoming/machine": ("tests/_logic/incoming/test_machine.py",),
    "_logic/incoming/failure_table": (
        "tests/_logic/incoming/test_failure_table.py",
        "tests/_logic/incoming/test_error_mapping.py",
        "tests/_logic/incoming/test_failed_response.py",
        "tests/test_failure_docs.py",
    ),
    "_logic/session/exchange": (
        "tests/_logic/session/test_exchange.py",
        "tests/_logic/session/test_exchange_recovery.py",
    ),
    "_logic/session/progress": ("tests/_logic/session/test_progress.py",),
    "_logic/session/stream_retry": ("tests/_logic/session/test_stream_retry.py",),
    "_logic/session/transport_choice": ("tests/_logic/session/test_transport_choice.py",),
    "rate_limits/_reading": ("tests/test_rate_limits.py",),
    "transport/_core/retry": (
        "tests/transport/_core/test_retry.py",
        "tests/transport/_core/test_flow.py",
    ),
    "transport/_core/sse": ("tests/transport/_core/test_sse.py",),
}
_FAST_PATH = "only spares work"
_LATER = "the first two bytes end no event, and are read with the next ones"
#: Changes that nobody could see, and why.
EQUIVALENT: Final[dict[str, dict[str, str]]] = {
    "rate_limits/_reading": {
        "if '-used-percent' not in names and 'x-codex-' not in names: => if False:": _FAST_PATH,
        "if '-used-percent' not in names and 'x-codex-' not in names: => "
        "if '-used-percent' in names and 'x-codex-' not in names:": _FAST_PATH,
        "if '-used-percent' not in names and 'x-codex-' not in names: => "
        "if '-used-percent' not in names and 'x-codex-' in names:": "no headers of the kind tell",
        "if 'x-ratelimit-' not in '\\n'.join(fields): => if False:": _FAST_PATH,
        "return headers if isinstance(headers, Headers) else Headers.lenient(headers.items()) => "
        "return headers if False else Headers.lenient(headers.items())": _FAST_PATH,
    },
    "_logic/incoming/failure_table": {
        "_SERVER_ERRORS: Final = range(500, 600) => _SERVER_ERRORS: Final = range(501, 600)": "500 "
        "has a row of its own",
    },
    "_logic/incoming/machine": {
        "if liveness_timeout is not None and liveness_timeout < self._step: => "
        "if liveness_timeout is not None and liveness_timeout <= self._step:": "the same limit",
        "if len(payloads) == 1: => if False:": _FAST_PATH,
        "if turn_state is not None: => if True:": "an absent value is not taken",
    },
    "_logic/session/exchange": {
        "self._is_rest_open = False => self._is_rest_open = True": "set before it is looked at",
        "if isinstance(told, str): => if True:": "an absent value is not taken",
        "return False => return None": "looked at as false, too",
        "def _failure(self, phase: Phase, error: CodexApiError, *, was_reused: bool=False, "
        "out: Outgoing | None=None) -> Failure: => def _failure(self, phase: Phase, "
        "error: CodexApiError, *, was_reused: bool=True, out: Outgoing | None=None) -> "
        "Failure:": "looked at only over a WebSocket, which says it",
    },
    "_logic/session/transport_choice": {
        "self._until = 0.0 => self._until = 1.0": "set before it is looked at",
        "wait = min(self._cool_down * 2.0 ** min(self._failures, 20), self._max_cool_down) => "
        "wait = min(self._cool_down * 2.0 ** min(self._failures, 21), self._max_cool_down)": "only "
        "keeps the number finite: 20 doublings of a second are twelve days",
    },
    "transport/_core/sse": {
        "self._skip_line_feed = False => self._skip_line_feed = True": "an empty line at the start "
        "says nothing",
        "data = chunk if type(chunk) is bytes else bytes(chunk) => "
        "data = chunk if False else bytes(chunk)": "bytes of bytes are the same object",
        "if len(data) < len(_BOM) and _BOM.startswith(data): => "
        "if len(data) < len(_BOM) or _BOM.startswith(data):": _LATER,
        "if len(data) < len(_BOM) and _BOM.startswith(data): => "
        "if len(data) <= len(_BOM) and _BOM.startswith(data):": _LATER,
        "start = len(data) if found < 0 else found + len(_BLANK_LINE) => "
        "start = len(data) if False else found + len(_BLANK_LINE)": "only cuts what is read by "
        "lines elsewhere",
        "if found >= 0: => if found > 0:": "two line ends hold no event",
        "if found >= 0: => if found >= 1:": "two line ends hold no event",
        "if start < len(data): => if True:": "nothing is left to read",
        "if start < len(data): => if start <= len(data):": "nothing is left to read",
        "if self._line: => if True:": _FAST_PATH,
    },
}

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COUNTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
}


class Mutant(NamedTuple):
    """One change.

    Attributes:
        line: Where it is.
        text: What stood there, and what stands there now.
        tree: The whole module.
        is_inside: Whether it is in the body of a function.
    """

    line: int
    text: str
    tree: ast.Module
    is_inside: bool


def mutants(source: str) -> list[Mutant]:
    """Make every mutant of a module."""
    found: list[Mutant] = []
    for number, node in enumerate(ast.walk(ast.parse(source))):
        for change in range(len(list(_changes(node)))):
            tree = ast.parse(source)
            twin = next(each for at, each in enumerate(ast.walk(tree)) if at == number)
            around = _around(tree, twin)
            if around is None:
                break
            statement, is_inside = around
            before = ast.unparse(statement).splitlines()[0]
            list(_changes(twin))[change]()
            ast.fix_missing_locations(tree)
            text = f"{before} => {ast.unparse(statement).splitlines()[0]}"
            line = getattr(twin, "lineno", statement.lineno)
            found.append(Mutant(line, text, tree, is_inside))
    return sorted(found, key=lambda mutant: mutant.line)


def _around(tree: ast.Module, wanted: ast.AST) -> tuple[ast.stmt, bool] | None:
    """Return the statement that runs ``wanted``, and whether it is in a function.

    None when ``wanted`` is no behaviour.
    """
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    statement: ast.stmt | None = None
    node, is_inside = wanted, False
    while node in parents:
        if _is_silent(node, parents[node]):
            return None
        if statement is None and isinstance(node, ast.stmt):
            statement = node
        above = parents[node]
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            is_inside = is_inside or node in above.body
        node = above
    return None if statement is None else (statement, is_inside)


def _is_silent(node: ast.AST, parent: ast.AST) -> bool:
    """Whether a part of a module is no behaviour: what checkers read, words of errors and logs."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"__all__", "message"}:
        return True
    said = node.value if isinstance(node, ast.Expr) else node
    if isinstance(said, ast.Call) and ast.unparse(said.func).endswith(("assert_never", ".debug")):
        return True
    if isinstance(parent, ast.ClassDef) and node not in parent.body:
        return True  # frozen, slots and the like
    if node is getattr(parent, "annotation", None) or node is getattr(parent, "returns", None):
        return True
    return isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr)


def _changes(node: ast.AST) -> Iterator[Any]:  # noqa: C901, PLR0912 - one arm a kind of node
    """Find the changes of one node: functions that make them."""
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            other = _COMPARED[type(operator)]
            yield lambda at=at, other=other: node.ops.__setitem__(at, other())
    elif isinstance(node, ast.BoolOp):
        other_op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield lambda: setattr(node, "op", other_op)
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _COUNTED:
        counted = _COUNTED[type(node.op)]
        yield lambda: setattr(node, "op", counted())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        kept = node.operand
        yield lambda: _become(node, ast.Call(ast.Name("bool", ast.Load()), [kept], []))
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield lambda: setattr(node, "value", not node.value)
        elif isinstance(node.value, int | float):
            yield lambda: setattr(node, "value", _next(node.value))
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        test = node.test
        if not isinstance(test, ast.Constant):
            yield lambda: setattr(node, "test", ast.Constant(value=False))
            if not isinstance(node, ast.While):
                yield lambda: setattr(node, "test", ast.Constant(value=True))
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield lambda: setattr(node, "value", ast.Constant(value=None))
    elif isinstance(node, ast.Continue | ast.Break):
        yield lambda: _become(node, ast.Pass())
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield lambda: setattr(node, "value", ast.Constant(value=None))


def _next(value: object) -> object:
    return value + 1 if isinstance(value, int | float) else value


def _become(node: ast.AST, other: ast.AST) -> None:
    """Turn ``node`` into ``other`` where it stands."""
    node.__class__ = other.__class__
    node.__dict__.update(other.__dict__)


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

    def __init__(self, target: str, tree: ast.Module) -> None:
        self._name = module_of(target)
        self._path = path_of(target)
        self._tree = tree

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
        exec(compile(self._tree, str(self._path), "exec"), module.__dict__)  # noqa: S102 - our code


def module_of(target: str) -> str:
    """Return the name of a module of ``TARGETS``."""
    return f"codex_api.{target.replace('/', '.')}"


def path_of(target: str) -> Path:
    """Return the file of a module of ``TARGETS``."""
    return ROOT / "src" / "codex_api" / f"{target}.py"


class Child:
    """A process that runs the tests with a change in the library."""

    def __init__(self, mutant: Mutant | None, work: Callable[[], int]) -> None:
        self.mutant = mutant
        self.is_noticed = True
        self._deadline = time.monotonic() + PATIENCE
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                code = work()
            finally:
                os._exit(code)

    def wait(self) -> bool:
        """Wait for its end, and tell whether it noticed something."""
        while not self.is_done():
            time.sleep(0.005)
        return self.is_noticed

    def is_done(self) -> bool:
        """See whether it has ended; one that waits for ever has noticed the change."""
        done, status = os.waitpid(self._pid, os.WNOHANG)
        if done:
            self.is_noticed = status != 0
        elif time.monotonic() > self._deadline:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            return True
        return bool(done)


class Forks:
    """Runs the collected tests once for each mutant, instead of once."""

    def __init__(self, target: str, found: list[Mutant], workers: int) -> None:
        self.left: list[Mutant] = []
        self._target, self._found, self._workers = target, found, workers
        self._running: list[Child] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        if Child(None, partial(run, session)).wait():
            message = f"the tests of {self._target} fail without a change"
            raise pytest.UsageError(message)
        for mutant in self._found:
            while len(self._running) >= self._workers:
                self._reap()
            self._running.append(Child(mutant, partial(self._work, session, mutant)))
        while self._running:
            self._reap()
        return True

    def _reap(self) -> None:
        time.sleep(0.005)
        for child in [child for child in self._running if child.is_done()]:
            self._running.remove(child)
            if not child.is_noticed and child.mutant is not None:
                self.left.append(child.mutant)

    def _work(self, session: pytest.Session, mutant: Mutant) -> int:
        if not mutant.is_inside:
            number = str(self._found.index(mutant))
            command = [sys.executable, __file__, "--alone", self._target, number]
            return subprocess.run(command, check=False).returncode
        module = importlib.import_module(module_of(self._target))
        changed = {"__name__": module.__name__, "__file__": module.__file__}
        exec(compile(mutant.tree, str(module.__file__), "exec"), changed)  # noqa: S102 - our code
        graft(module, SimpleNamespace(**changed), module.__name__)
        return run(session)


def run(session: pytest.Session) -> int:
    """Run the collected tests until one fails."""
    for item, following in zip_longest(session.items, session.items[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0


#: This program has imported some of what pytest would like to import itself.
_KNOWN: Final = "ignore::pytest.PytestAssertRewriteWarning"


def own_tests(target: str, *plugins: object) -> int:
    """Run the tests of a module."""
    settings.register_profile("mutants", database=None, derandomize=True)
    settings.load_profile("mutants")
    options = ["-x", "-q", "--timeout=20", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return int(
        pytest.main([*options, "-W", _KNOWN, "-p", "no:inline_snapshot", *TARGETS[target]], plugins)
    )


def alone(target: str, number: int) -> int:
    """Run the tests of a module with one of its mutants imported in its place."""
    mutant = found_in(target)[number]
    sys.meta_path.insert(0, Changed(target, mutant.tree))
    importlib.import_module(module_of(target))  # before pytest puts its own finder first
    return own_tests(target)


def found_in(target: str) -> list[Mutant]:
    """Return the mutants of a module that somebody could see."""
    known = EQUIVALENT.get(target, {})
    return [mutant for mutant in mutants(path_of(target).read_text()) if mutant.text not in known]


def take(target: str, workers: int) -> int:
    """Print how many mutants of a module are noticed, and those that are not."""
    found = found_in(target)
    forks = Forks(target, found, workers)
    own_tests(target, forks)
    print(f"{target}: {len(found) - len(forks.left)} of {len(found)} noticed", flush=True)
    for mutant in sorted(forks.left, key=lambda mutant: mutant.line):
        print(f"  {mutant.line}: {mutant.text}", flush=True)
    return 0


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
        sys.exit(alone(options.modules[0], int(options.modules[1])))
    if options.one:
        sys.exit(take(options.modules[0], options.workers))
    wanted = tuple(options.modules)
    made = noticed = 0
    for target in TARGETS:
        if wanted and not target.endswith(wanted):
            continue
        # Each in a process that has imported nothing of the library.
        command = [sys.executable, __file__, "--one", target, "--workers", str(options.workers)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        told = done.stdout[done.stdout.rindex(f"{target}: ") :]
        print(told, end="", flush=True)
        some, count = re.findall(r": (\d+) of (\d+) noticed", told)[0]
        made, noticed = made + int(count), noticed + int(some)
    print(f"{noticed} of {made} noticed, {LEAST:.0%} are to be")
    sys.exit(noticed < LEAST * made)


if __name__ == "__main__":
    main()
