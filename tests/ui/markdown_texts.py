"""Finds, in the source of a page, text that Streamlit would read as Markdown though it may be somebody else's."""

import ast
from collections.abc import Iterator

DRAWS_MARKDOWN = {
    *("markdown", "caption", "error", "info", "warning", "success", "toast", "subheader", "title", "header"),
    *("expander", "button", "checkbox", "toggle", "selectbox", "multiselect", "text_input", "text_area", "slider"),
    *("number_input", "pills", "segmented_control", "radio", "popover", "download_button", "link_button", "metric"),
    *("spinner", "status", "form_submit_button", "file_uploader", "badge", "dialog", "tabs", "feedback"),
}
"""Functions of Streamlit that read their first text, and these keywords, as Markdown."""
MARKDOWN_KEYWORDS = {"label", "body", "text", "help", "title"}
OPTIONS_IN_MARKDOWN = {"pills", "segmented_control", "radio"}
ESCAPED = {"escape", "Markdown", "shipped_text", "with_code"}
"""`Markdown(...)` marks text that we put together ourselves: what it is made of is looked at too.

`shipped_text(...)` is of a file of the package.
"""

CHARTS_AND_TABLES = {
    *("plotly_chart", "dataframe", "table", "data_editor"),
    *("line_chart", "bar_chart", "area_chart", "scatter_chart", "altair_chart", "vega_lite_chart", "pyplot"),
}
"""Functions of Streamlit that draw one, with `alt` for who does not see it."""

Scope = dict[str, list[ast.expr]]
"""The expressions that a name may stand for; a function of ours that returns Markdown stands under `name()`."""


def foreign_texts(source: str) -> list[str]:
    """The expressions, with their lines, that are drawn as Markdown and are not ours to the last part."""
    return [
        f"{text.lineno}: {ast.unparse(text)}" for text, scope in _drawn(ast.parse(source)) if not _ours(text, scope)
    ]


def drawn_without_alt(source: str) -> list[str]:
    """The charts and tables, with their lines, that are drawn of something and have no words in `alt`."""
    return [
        f"{node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CHARTS_AND_TABLES
        and node.args
        and not any(word.arg == "alt" and getattr(word.value, "value", True) for word in node.keywords)
    ]


def _drawn(tree: ast.Module) -> Iterator[tuple[ast.expr, Scope]]:
    """Every expression that becomes Markdown, with what the names in it may stand for."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function) if node is not function}
    outside = [node for node in ast.walk(tree) if id(node) not in inside]
    constants = _scope(outside)
    yield from ((text, constants) for node in outside for text in _texts(node))
    for function in functions:
        scope = constants | _scope(list(ast.walk(function)))
        yield from ((text, scope) for node in ast.walk(function) for text in _texts(node))
        if _is_markdown(function.returns):
            returned = (node.value for node in ast.walk(function) if isinstance(node, ast.Return))
            yield from ((value, scope) for value in returned if value is not None)


def _texts(node: ast.AST) -> Iterator[ast.expr]:
    """What a call gives to Streamlit as Markdown, or declares to be Markdown."""
    if not isinstance(node, ast.Call):
        return
    is_method = isinstance(node.func, ast.Attribute)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if name == "Markdown" or (is_method and name in DRAWS_MARKDOWN) or ast.unparse(node.func) == "st.write":
        yield from node.args[:1]
    if is_method and name in {*DRAWS_MARKDOWN, "progress"}:
        yield from (keyword.value for keyword in node.keywords if keyword.arg in MARKDOWN_KEYWORDS)
    if is_method and name in OPTIONS_IN_MARKDOWN:
        formats = [keyword.value for keyword in node.keywords if keyword.arg == "format_func"]
        shown = (f.body if isinstance(f, ast.Lambda) else f for f in formats or node.args[1:2])
        yield from (text for text in shown if ast.unparse(text) != "escape")


def _is_markdown(annotation: ast.expr | None) -> bool:
    return annotation is not None and "Markdown" in ast.unparse(annotation)


def _scope(nodes: list[ast.AST]) -> Scope:
    found: Scope = {}
    for node in nodes:
        for name, value in (*_assigned(node), *_declared(node)):
            found.setdefault(name, []).append(value)
    return found


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names with what they are given here; the parts of a tuple get their parts of a tuple."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            pairs = list(zip(names, values, strict=True))
        case ast.Assign(targets=[target], value=value) | ast.AugAssign(target=target, value=value):
            pairs = [(target, value)]
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            pairs = [(target, value)]
        case _:
            return
    for target, value in pairs:
        yield from ((part.id, value) for part in ast.walk(target) if isinstance(part, ast.Name))


def _declared(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Parameters and functions: Markdown by their annotation, else of anybody."""
    if isinstance(node, ast.FunctionDef):
        for argument in (*node.args.args, *node.args.kwonlyargs):
            yield argument.arg, ast.Constant("") if _is_markdown(argument.annotation) else ast.Name("?")
        if _is_markdown(node.returns):
            yield f"{node.name}()", ast.Constant("")


def _ours(node: ast.expr, scope: Scope) -> bool:
    """Whether an expression can hold only text that stands in our files, numbers, and what was escaped."""
    match node:
        case ast.Constant():
            return True
        case ast.FormattedValue(format_spec=ast.JoinedStr() as spec) if ast.unparse(spec)[-2] in "fg,d%":
            return True  # Python refuses a text there
        case ast.Name(id=name) if name.lstrip("_").isupper():
            return True
        case ast.Name(id=name):
            return name in scope and all(_ours(value, scope | {name: []}) for value in scope[name])
        case ast.Call():
            return _is_made_by_us(node, scope)
        case ast.FormattedValue(value=v) | ast.Subscript(value=v) | ast.GeneratorExp(elt=v) | ast.ListComp(elt=v):
            return _ours(v, scope)
        case ast.JoinedStr(values=parts) | ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            return all(_ours(part, scope) for part in parts)
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
            return _ours(one, scope) and _ours(other, scope)
    return False


def _is_made_by_us(call: ast.Call, scope: Scope) -> bool:
    name = ast.unparse(call.func)
    if name in ESCAPED or f"{name}()" in scope:
        return True
    if name == "map":
        return ast.unparse(call.args[0]) in ESCAPED
    if name == "filter":
        return _ours(call.args[1], scope)
    is_kept = isinstance(call.func, ast.Attribute) and call.func.attr in {"join", "replace", "lower"}
    return is_kept and all(_ours(part, scope) for part in (call.func.value, *call.args))  # type: ignore[attr-defined]
