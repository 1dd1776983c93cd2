"""The public interface of the Python package, a line for each thing that programs may name."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

NO_DEFAULT = object()


def module_lines(name: str, tree: ast.Module) -> list[str]:
    """The lines of a module."""
    lines = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and is_public(node.name):
            lines += function_lines(f"{name}.{node.name}", node, 0)
        elif isinstance(node, ast.ClassDef) and is_public(node.name):
            lines += class_lines(f"{name}.{node.name}", node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            lines += [f"{name}.{target}: {kind}" for target, kind in targets(node)]
        elif isinstance(node, ast.ImportFrom) and name.endswith("__init__") and node.level:
            # what the package itself has of its modules
            lines += [f"{name}.{alias.asname or alias.name}: from .{node.module}" for alias in node.names]
    return lines


def targets(node: ast.Assign | ast.AnnAssign) -> list[tuple[str, str]]:
    """The public names that are assigned, with what is known of their types."""
    if isinstance(node, ast.AnnAssign):
        found = [(node.target, ast.unparse(node.annotation))]
    else:
        found = [(target, kind_of(node.value)) for target in node.targets]
    return [(target.id, kind) for target, kind in found if isinstance(target, ast.Name) and is_public(target.id)]


def kind_of(value: ast.expr) -> str:
    """What a value without a type is: what is called, or the value of a constant."""
    if isinstance(value, ast.Call):
        return ast.unparse(value.func)
    if isinstance(value, ast.Constant):
        return repr(value.value) if len(repr(value.value)) < 80 else type(value.value).__name__
    if isinstance(value, (ast.Subscript, ast.Name, ast.BinOp)):
        # of a union every member may come, and programs reckon with those that there are
        base = ast.unparse(value)
        return base if len(base) < 200 else base.split("[")[0]
    return type(value).__name__.lower()


def class_lines(name: str, node: ast.ClassDef) -> list[str]:
    """The lines of a class: its bases, its fields, its methods."""
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    lines = [f"{name}: class({bases})"]
    is_dataclass = any("dataclass" in ast.unparse(one) for one in node.decorator_list)
    # events and rows are read: none but tests make them, so that a field more breaks nobody
    is_read = any(base in ("EventData", "Row") for base in bases.split(", "))
    for inner in node.body:
        if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)) and (
            is_public(inner.name) or inner.name == "__init__"
        ):
            decorators = {ast.unparse(one) for one in inner.decorator_list}
            shown = name if inner.name == "__init__" else f"{name}.{inner.name}"
            if "property" in decorators:
                lines.append(f"{shown}: {unparsed(inner.returns)}")
            else:
                lines += function_lines(shown, inner, 0 if "staticmethod" in decorators else 1)
        elif isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name) and is_public(inner.target.id):
            kind = ast.unparse(inner.annotation)
            lines.append(f"{name}.{inner.target.id}: {kind}")
            if is_dataclass and not is_read and not kind.startswith("ClassVar"):
                end = "" if inner.value is None else " = …"
                lines.append(f"{'' if end else '! '}{name}({inner.target.id}: {kind}){end}")
        elif isinstance(inner, ast.Assign):
            lines += [f"{name}.{target}: {kind}" for target, kind in targets(inner)]
    return lines


def function_lines(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, skipped: int) -> list[str]:
    """A line for what a function gives, and one for each parameter."""
    lines = [f"{name} -> {unparsed(node.returns)}"]
    given = node.args
    ordered = [*given.posonlyargs, *given.args]
    defaults: list[object] = [NO_DEFAULT] * (len(ordered) - len(given.defaults)) + list(given.defaults)
    for at, (one, default) in enumerate(zip(ordered, defaults)):
        if at >= skipped:
            lines.append(parameter(name, f"{at - skipped} {one.arg}", one, default is NO_DEFAULT))
    for one, by_name in zip(given.kwonlyargs, given.kw_defaults):
        lines.append(parameter(name, one.arg, one, by_name is None))
    lines += [f"{name}(*{one.arg}: {unparsed(one.annotation)})" for one in (given.vararg, given.kwarg) if one]
    return lines


def parameter(name: str, shown: str, one: ast.arg, must: bool) -> str:
    """The line of a parameter."""
    line = f"{name}({shown}: {unparsed(one.annotation)})"
    return f"! {line}" if must else f"{line} = …"


def unparsed(node: ast.expr | None) -> str:
    """An annotation as text."""
    return "None" if node is None else ast.unparse(node)


def is_public(name: str) -> bool:
    """Whether a name is for others."""
    return not name.startswith("_")


def main() -> None:
    source = Path(sys.argv[1]) / "src"
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        if all(is_public(part) or part == "__init__" for part in parts):
            lines = module_lines(".".join(parts), ast.parse(path.read_text(encoding="utf-8")))
            print("\n".join(line.replace(".__init__.", ".") for line in lines))


if __name__ == "__main__":
    main()
