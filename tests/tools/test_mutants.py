"""What is changed, and how a change gets into functions that others hold."""

from __future__ import annotations

import ast
import os
import resource
import signal
from types import SimpleNamespace

import pytest

import tools.mutants
from tools.coverage_gate import gaps
from tools.mutants import ENDLESS, ROOT, TARGETS, Child, graft, path_of
from tools.mutations import mutants

SOURCE = '''
if TYPE_CHECKING:
    LIMIT = 1

def f(x: int = 3) -> bool:
    """Not this: 4."""
    if x > 2 and not x:
        log.debug("%d", 5)
        raise ValueError(f"{x + 6}")
    return x == 7
'''


def test_decisions_are_changed_and_words_are_not() -> None:
    made = mutants(SOURCE)
    texts = [mutant.text.partition(" => ")[2] for mutant in made]

    assert sorted(texts) == sorted(
        [
            "def f(x: int=4) -> bool:",
            "if x >= 2 and (not x):",
            "if x > 2 or not x:",
            "if x > 3 and (not x):",
            "if x > 2 and bool(x):",
            "if False:",
            "if True:",
            "return x != 7",
            "return x == 8",
            "return None",
        ]
    )
    assert [mutant.is_inside for mutant in made if ": if" in mutant.text] == [True] * 6
    assert {mutant.text.partition(": ")[0] for mutant in made} == {"f", "-"}


def test_a_mutant_is_a_module_with_one_change() -> None:
    for mutant in mutants(SOURCE):
        assert ast.unparse(mutant.tree) != ast.unparse(ast.parse(SOURCE))
        compile(mutant.tree, "x", "exec")


def test_code_is_put_into_the_functions_that_are_there() -> None:
    class Old:
        def method(self) -> int:
            return 1

        @property
        def prop(self) -> int:
            return 1

    class New:
        def method(self) -> int:
            return 2

        @property
        def prop(self) -> int:
            return 2

    held = Old().method
    graft(SimpleNamespace(C=Old), SimpleNamespace(C=New), __name__)

    assert (held(), Old().prop) == (2, 2)


def test_gaps_are_lines_and_the_branches_of_other_lines() -> None:
    report: dict[str, list[object]] = {
        "missing_lines": [4, 10],
        "missing_branches": [[4, 5], [7, 9]],
    }

    assert gaps(report) == ["4", "10", "7->9"]


def test_every_module_that_is_changed_is_there_and_has_tests() -> None:
    for target, told in TARGETS.items():
        assert path_of(target).exists()
        assert told["tests"]
        assert all((ROOT / path).exists() for path in told["tests"])


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_change_is_noticed_by_tests_that_fail_or_work_without_an_end_and_not_by_a_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def limited() -> int:
        return resource.getrlimit(resource.RLIMIT_CPU)[0]

    def stopped() -> int:
        os.kill(os.getpid(), signal.SIGXCPU)
        return 0

    def waiting() -> int:
        signal.pause()
        return 1

    ended = [Child(work, 7).wait() for work in (lambda: 0, lambda: 3, limited, stopped)]
    monkeypatch.setattr(tools.mutants, "PATIENCE", -70)
    ended.append(Child(waiting, 7).wait())

    assert ended == [0, 3, 7, ENDLESS, None]
