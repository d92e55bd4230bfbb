"""A gate on names, classes, reasons and policies of any text: what it prints and writes stays what it is."""

import io
import re
from contextlib import redirect_stdout
from typing import TextIO, cast, get_args
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from url_viz.base.command_line import PrintableOutput
from url_viz.base.errors import UsageError
from url_viz.cli.check_command import _print
from url_viz.export.result_files import MOST_BYTES, junit, markdown
from url_viz.findings.gate import GateResult, RuleResult, State, policy_of

HOSTILE = (
    *("::error::x", " ::set-output name=a::b", "##[error]x", "##vso[task]", "a\n::x", "\x1b[2J", "|", "`"),
    *("<script>", "<img src=x>", "</details>", "]]>", "\udcff", "\u202e", "x" * 2_000),
    *("\r::x", "\x85::x", "\u2028::x"),
)
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(HOSTILE))
STATES: st.SearchStrategy[State] = st.sampled_from(get_args(State))


@st.composite
def results(draw: st.DrawFn) -> GateResult:
    rules = []
    for _ in range(draw(st.integers(0, 4))):
        names = tuple(draw(st.lists(TEXTS, max_size=4)))
        details = tuple(draw(TEXTS) for _ in names)
        words = draw(TEXTS), draw(TEXTS), draw(st.one_of(st.just(""), TEXTS))
        rules.append(
            RuleResult(words[0], words[1], 0, draw(STATES), 9, names, (None,) * len(names), details,
                       (True,) * len(names), words[2])
        )  # fmt: skip
    return GateResult(draw(TEXTS), 9, "m", "s", tuple(rules))


@given(results())
def test_whatever_it_says_is_text(result: GateResult) -> None:
    out = io.StringIO()
    with redirect_stdout(cast(TextIO, PrintableOutput(out))):
        _print(result)
    lines = out.getvalue().split("\n")
    counted = sum(min(rule.count, 10) for rule in result.shown if rule.state == "broken")
    assert len(lines) == 2 + len(result.shown) + counted + (result.classes_passed > 0), "a line each"
    assert not [line for line in lines if line.strip().startswith("::")]
    assert not [line for line in lines if "##[" in line or "##vso[" in line]
    assert all(c.isprintable() or c == "\u2060" for line in lines for c in line)

    assert len(list(ElementTree.fromstring(junit(result)).iter("testcase"))) == len(result.rules)
    text = markdown(result)
    assert len(text) <= MOST_BYTES
    for line in text.decode().splitlines():
        if line.startswith("<details>"):
            name = line.removeprefix("<details><summary>").removesuffix("</summary>")
            assert "<" not in name, "a backslash escapes nothing there"
            continue
        bare = re.sub(r"\\.", "", line)  # without what is escaped
        assert "<" not in bare or line == "</details>", "no other HTML"
        assert bare.count("|") == 4 or not line.startswith("|")


BOUNDS = st.sampled_from(["1%", "101%", "-1%", "1e9%"])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, BOUNDS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXTS, inner, max_size=2)),
    max_leaves=4,
)
RULES = st.one_of(TEXTS, st.sampled_from(["leaks", "ambiguous", "small-classes", "copies"]))


@given(st.dictionaries(RULES, VALUES, max_size=3))
def test_a_policy_of_anything_is_read_or_refused(values: dict[str, object]) -> None:
    try:
        policy = policy_of(values)
    except UsageError:
        return
    of_classes = (bound for bounds in policy.by_class.values() for bound in bounds.values())
    assert all(bound.holds(0, 1) for bound in (*policy.bounds.values(), *of_classes))
