"""Changes to the decisions of a module, one at a time: comparisons, conditions, numbers, calls."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        text: The function that it is in, what stood there, and what stands there now.
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
            statement, function = around
            before = ast.unparse(statement).splitlines()[0]
            list(_changes(twin))[change]()
            ast.fix_missing_locations(tree)
            text = f"{function or '-'}: {before} => {ast.unparse(statement).splitlines()[0]}"
            line = getattr(twin, "lineno", statement.lineno)
            found.append(Mutant(line, text, tree, bool(function)))
    return sorted(found, key=lambda mutant: mutant.line)


def _around(tree: ast.Module, wanted: ast.AST) -> tuple[ast.stmt, str] | None:
    """Return the statement that runs ``wanted``, and the name of the function that it is in.

    None when ``wanted`` is no behaviour.
    """
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    statement: ast.stmt | None = None
    node, function = wanted, ""
    while node in parents:
        if _is_silent(node, parents[node]):
            return None
        if statement is None and isinstance(node, ast.stmt):
            statement = node
        above = parents[node]
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef) and node in above.body:
            function = function or above.name
        node = above
    return None if statement is None else (statement, function)


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
        # Whoever asks a predicate takes None for False.
        if ast.unparse(node.value) not in {"None", "False"}:
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
