"""How code is changed: on its syntax tree, at a place that is named by its own words."""

import ast
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass


class NoSuchPlace(ValueError):
    """The code has no such place, or more than one: the mutation wants new words."""


@dataclass(frozen=True)
class Edit:
    """One change: an operator, the words of the statement or expression it is for, and what it puts there."""

    operator: str
    at: str = ""
    to: str = ""


def mutated(source: str, scope: str, edits: tuple[Edit, ...]) -> str:
    """The source with each edit made within `scope`: the qualified name of a class or function, or nothing."""
    tree = ast.parse(source)
    for edit in edits:
        OPERATORS[edit.operator](_within(tree, scope), edit)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


# ── finding the place ────────────────────────────────────────────────────────────────────────────────────────────


def _within(tree: ast.Module, scope: str) -> ast.AST:
    found: ast.AST = tree
    for name in filter(None, scope.split(".")):
        inside = [node for node in ast.walk(found) if getattr(node, "name", None) == name and node is not found]
        defined = [node for node in inside if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
        if not defined:
            raise NoSuchPlace(f"no {name} of {scope}")
        found = defined[0]
    return found


def _words(text: str) -> str:
    """Code in the words of `ast.unparse`; the beginning of a compound statement is left as it is."""
    for mode in ("eval", "exec"):  # a text alone is a docstring to the second
        with suppress(SyntaxError):
            return ast.unparse(ast.parse(text, mode=mode))
    return text


def _bodies(scope: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(scope):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                yield body


def _statement(scope: ast.AST, at: str) -> tuple[list[ast.stmt], int]:
    words = _words(at)
    found = [
        (body, index)
        for body in _bodies(scope)
        for index, statement in enumerate(body)
        if ast.unparse(statement).startswith(words)
    ]
    if len(found) != 1:
        raise NoSuchPlace(f"{len(found)} statements begin with {at!r}")
    return found[0]


def _statements(text: str) -> list[ast.stmt]:
    return ast.parse(text).body


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


# ── the operators ────────────────────────────────────────────────────────────────────────────────────────────────


def _remove(scope: ast.AST, edit: Edit) -> None:
    body, index = _statement(scope, edit.at)
    body[index] = ast.Pass()


def _swap(scope: ast.AST, edit: Edit) -> None:
    """With the statement after it."""
    body, index = _statement(scope, edit.at)
    if index + 1 == len(body):
        raise NoSuchPlace(f"nothing comes after {edit.at!r}")
    body[index], body[index + 1] = body[index + 1], body[index]


def _insert(scope: ast.AST, edit: Edit) -> None:
    """Before the statement."""
    body, index = _statement(scope, edit.at)
    body[index:index] = _statements(edit.to)


def _append(scope: ast.AST, edit: Edit) -> None:
    """After the statement."""
    body, index = _statement(scope, edit.at)
    body[index + 1 : index + 1] = _statements(edit.to)


def _instead(scope: ast.AST, edit: Edit) -> None:
    body, index = _statement(scope, edit.at)
    body[index : index + 1] = _statements(edit.to)


def _only_if(scope: ast.AST, edit: Edit) -> None:
    body, index = _statement(scope, edit.at)
    body[index] = ast.If(test=_expression(edit.to), body=[body[index]], orelse=[])


def _negate(scope: ast.AST, edit: Edit) -> None:
    """The condition of an `if`, a `while` or a conditional expression."""
    words = _words(edit.at)
    found = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.If | ast.While | ast.IfExp) and ast.unparse(node.test) == words
    ]
    if len(found) != 1:
        raise NoSuchPlace(f"{len(found)} conditions are {edit.at!r}")
    found[0].test = ast.UnaryOp(ast.Not(), found[0].test)


def _replace(scope: ast.AST, edit: Edit) -> None:
    """An expression."""
    words, replaced = _words(edit.at), 0

    class Replacer(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            nonlocal replaced
            if isinstance(node, ast.expr) and ast.unparse(node) == words:
                replaced += 1
                return _expression(edit.to)
            return self.generic_visit(node)

    Replacer().visit(scope)
    if replaced != 1:
        raise NoSuchPlace(f"{replaced} expressions are {edit.at!r}")


def _rename(scope: ast.AST, edit: Edit) -> None:
    """A local name."""
    found = [node for node in ast.walk(scope) if isinstance(node, ast.Name) and node.id == edit.at]
    arguments = [node for node in ast.walk(scope) if isinstance(node, ast.arg) and node.arg == edit.at]
    if not found:
        raise NoSuchPlace(f"nothing is named {edit.at}")
    for name in found:
        name.id = edit.to
    for argument in arguments:
        argument.arg = edit.to


def _document(scope: ast.AST, edit: Edit) -> None:
    """The docstring of the scope."""
    if not isinstance(scope, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        raise NoSuchPlace("only what is defined has a docstring")
    first = scope.body[0]
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        raise NoSuchPlace("it has no docstring")
    first.value.value = edit.to


OPERATORS: dict[str, Callable[[ast.AST, Edit], None]] = {
    "remove": _remove,
    "swap": _swap,
    "insert": _insert,
    "append": _append,
    "instead": _instead,
    "only if": _only_if,
    "negate": _negate,
    "replace": _replace,
    "rename": _rename,
    "document": _document,
}
