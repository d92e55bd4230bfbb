"""Results for other programs: evaluations, a gate's verdict, answers on pairs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from typing_extensions import Doc

from url_viz.base.command_line import Count, Seed
from url_viz.base.errors import DecisionError, FolderError, ImageSetError, UsageError
from url_viz.base.files import record_in
from url_viz.base.printout import Printout, Table
from url_viz.base.records import read_plain
from url_viz.base.wording import command, counted, escaped, escaped_in_html, printable
from url_viz.capability import AsKind, capability
from url_viz.columns.measures import CONFUSABILITY, UNCERTAINTY, measure_named, measure_title
from url_viz.evidence.evaluation import NEEDED, Evaluated, by_class, by_two_models, deciles
from url_viz.export.table_files import as_json, plain_value, provenance, write_bytes
from url_viz.findings.gate import GateResult, RuleResult
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.review.tuned import change_in_words, moved_share
from url_viz.store.columns.user_files import opened, read_csv, read_paths
from url_viz.store.columns.user_paths import match_paths
from url_viz.store.decisions.decisions import Action
from url_viz.store.tables.tables import positions_of


@capability("models evaluate", top=50)
def evaluate(image_set: ImageSet) -> Printout:
    """Measure recall@1 of a folder with classes, and R-AUROC of every measure with its interval, beside the baselines.

    The figures of the app's page Model; `--out FILE.json` writes tenths and classes, too. Of a head and pictures that
    no set was read of: `python -m training.evaluate`.

    In Python `image_set.evaluate()` gives the figures.
    """
    evaluated = image_set.evaluate()
    if evaluated is None:
        choosing = command("labels", "list", image_set.root)
        raise ImageSetError(f"{NEEDED} Choose other classes with `{choosing}`, or add pictures.")
    second = image_set.core.second.active
    by_two = by_two_models(second.title) if second else ""
    closing = [*filter(None, (evaluated.verdict, evaluated.gaps, evaluated.how_to_read, by_two))]
    words = [f"Recall@1 {100 * evaluated.pictures.recall:.1f} %, {evaluated.recall_words}"]
    figures = evaluation_record(image_set, evaluated)
    return Printout(words, [Table(evaluated.shown())], closing=closing, figures=figures)


def write_evaluation(image_set: ImageSet, evaluated: Evaluated, path: Path) -> Path:
    """Write `evaluation_record` as JSON. Raises FolderError if that fails, UsageError for a file among the pictures."""
    require_outside(path, image_set.root)
    return write_bytes((as_json(evaluation_record(image_set, evaluated), indent=1) + "\n").encode("utf-8"), path)


def evaluation_record(image_set: ImageSet, evaluated: Evaluated) -> dict[str, Any]:
    """Recall@1, the figures and tenths of each measure, and the classes; null for what there is not.

    `_low` and `_high` end 95 % intervals; `pictures` are those counted, fewer of a measure with gaps. Percentiles of
    classes are by the measure `classes_by`.
    """
    pictures = evaluated.pictures
    interval = pictures.recall_interval
    order = image_set.order()
    by = order.measure if order.measure in pictures.values else next(iter(pictures.values))

    def details(measure: str) -> dict[str, Any]:
        own, about = evaluated.pictures_of[measure], measure_named(measure)
        return {
            "title": measure_title(measure),
            "knows": about.knows,
            "is_baseline": about.is_baseline,
            "tenths": _rows(deciles(own.values[measure], own.is_right)),
        }

    return {
        "set": asdict(provenance(image_set)),
        "pictures": len(pictures),
        "classes": pictures.classes,
        "left_out": pictures.left_out,
        "recall_at_1": pictures.recall,
        "recall_at_1_low": interval.low,
        "recall_at_1_high": interval.high,
        "measures": [row | details(str(row["measure"])) for row in _rows(evaluated.table())],
        "lead": None
        if evaluated.lead is None
        else {
            "ahead": CONFUSABILITY.name,
            "behind": UNCERTAINTY.name,
            "by": plain_value(evaluated.lead.value),
            "low": plain_value(evaluated.lead.interval.low),
            "high": plain_value(evaluated.lead.interval.high),
        },
        "classes_by": by,
        "by_class": _rows(by_class(pictures, str(by))),
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): plain_value(value) for name, value in row.items()} for row in table.to_dict("records")]


FORMAT = "url-viz check"
"""Says of a JSON file that it is a result of `check`."""
MARKS = {"passed": "✅", "broken": "❌", "not judged": "⚠️"}
SHOWN = 50
"""How many pictures of a rule are listed in a text for people."""
MOST_BYTES = 60_000
"""Of a whole text in Markdown: GitHub takes a mebibyte in a summary, 65,536 characters in a comment."""
LONGEST_CELL = 300


def as_baseline(result: GateResult) -> bytes:
    """A result as JSON, the baseline for later checks."""
    return json.dumps({"format": FORMAT, "state": result.state, **asdict(result)}, indent=1).encode()


def read_baseline(path: Path) -> GateResult | None:
    """The result in a JSON file; None for other files, or without one. Raises UsageError if it is damaged."""
    try:
        record = record_in(path.read_bytes())
    except (OSError, ValueError):
        return None
    if record.get("format") != FORMAT:
        return None
    try:
        return read_plain(GateResult, record)
    except ValueError as error:
        raise UsageError(f"The baseline {str(path)!r} is damaged: {error}. Make it again with --json.") from error


def junit(result: GateResult) -> bytes:
    """A result as JUnit's XML: a test case for each rule; one that could not be judged is an error."""
    states = [rule.state for rule in result.rules]
    counts = {"tests": len(states), "failures": states.count("broken"), "errors": states.count("not judged")}
    attributes = {name: str(count) for name, count in counts.items()}
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": FORMAT, **attributes})
    for rule in result.rules:
        name = {"classname": printable(result.folder), "name": printable(rule.name)}
        case = ElementTree.SubElement(suite, "testcase", name)
        if rule.state != "passed":
            kind = "failure" if rule.state == "broken" else "error"
            problem = ElementTree.SubElement(case, kind, {"message": printable(rule.words), "type": rule.state})
            problem.text = "\n".join(printable(": ".join(each)) for each in rule.counted)
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def markdown(result: GateResult) -> bytes:
    """A result as GitHub's Markdown, MOST_BYTES at most: a table of the rules, and what broke them."""
    pictures = counted(result.pictures, result.noun)
    head = f"### {MARKS[result.state]} {_cell(result.folder)}: {pictures}, {result.state}"
    rows = [f"| {MARKS[rule.state]} | {_cell(rule.name)} | {_cell(rule.found)} |" for rule in result.shown]
    if result.classes_passed:
        rows.insert(0, f"| {MARKS['passed']} | ambiguous | {counted(result.classes_passed, 'class')} |")
    half, more = MOST_BYTES // 2, "| | and {} more | |"
    table = "\n".join(["| | rule | found |", "|---|---|---|", *_bounded(rows, most_bytes=half, more=more)])
    broken = [_section(rule) for rule in result.rules if rule.state == "broken"]
    left, more = half - len(head.encode()) - 100, "And {} more broken rules: see --json."
    listed = "\n\n".join(_bounded(broken, most_bytes=left, more=more, between="\n\n"))
    return "\n\n".join(filter(None, [head, table, listed, "\n"])).encode()


def _section(rule: RuleResult) -> str:
    listed = "\n".join(f"- {_cell(path)}: {_cell(detail)}" for path, detail in rule.counted[:SHOWN])
    more = f"\n- and {rule.count - SHOWN:,} more" if rule.count > SHOWN else ""
    return f"<details><summary>{escaped_in_html(_cut(rule.name))}</summary>\n\n{listed}{more}\n\n</details>"


def _bounded(parts: list[str], *, most_bytes: int, more: str, between: str = "\n") -> list[str]:
    """The first parts, as many as fit into `most_bytes`; at last `more`, which says how many do not."""
    shown = list[str]()
    for part in parts:
        most_bytes -= len((part + between).encode())
        if most_bytes < 0:
            break
        shown.append(part)
    rest = len(parts) - len(shown)
    return [*shown, *([more.format(f"{rest:,}")] if rest else [])]


def _cell(text: str) -> str:
    return escaped(_cut(text))


def _cut(text: str) -> str:
    """Untrusted text on one line, cut to LONGEST_CELL characters."""
    plain = printable(text[: LONGEST_CELL + 1])
    return plain if len(plain) <= LONGEST_CELL else f"{plain[: LONGEST_CELL - 1]}…"


COLUMNS = ["path", "neighbour_path", "same", "content", "neighbour_content"]
_ANSWERS = {
    **dict.fromkeys(("yes", "y", "true", "1", "same"), True),
    **dict.fromkeys(("no", "n", "false", "0", "other"), False),
}


@dataclass(frozen=True)
class ImportedAnswers:
    """What a file of answers brought: the `action` that stored them, and how many rows were passed over."""

    action: Action
    unanswered: int
    unknown: int

    @property
    def words(self) -> str:
        skipped = [f"{counted(self.unanswered, 'row')} without an answer"] if self.unanswered else []
        skipped += [f"{self.unknown:,} of pictures that are not in this set"] if self.unknown else []
        return f"{self.action.sentence}{'; passed over ' if skipped else ''}{' and '.join(skipped)}."


@capability("answers list", top=20)
def list_answers(image_set: ImageSet) -> Printout:
    """List the answers on pairs of pictures, and say what they made of the order."""
    moved = moved_share(image_set.table())
    words = change_in_words(image_set.answers.log.now(), image_set.answers.tuned(), moved=moved)
    rows = answers_table(image_set)
    latest_first = Table(rows[::-1], ["same", "path", "neighbour_path"], noun="answer")
    return Printout([words], [latest_first], file=Table(rows, noun="answer"))


def answers_table(image_set: ImageSet) -> pd.DataFrame:
    """One row per answer, the oldest first: COLUMNS, `same` yes or no; "" is the path of a picture that is gone."""
    answered = image_set.answers.log.now()
    return _table(image_set, answered.pairs, np.where(answered.is_same, "yes", "no"))


@capability(
    "answers ask", columns=("path", "neighbour_path"), noun="pair to ask about", plural="pairs to ask about", top=20
)
def questions_table(
    image_set: ImageSet,
    *,
    top: Annotated[Count, Doc("how many pairs to ask about")] = 20,
    seed: Annotated[Seed, Doc("another one draws other pairs")] = 0,
) -> pd.DataFrame:
    """Ask about pairs: are a picture and its nearest the same kind of thing? A few answers make the order truer.

    `--out pairs.csv` writes them with an empty column `same`; fill in yes or no, and `answers give` the file. From ten
    answers on, both kinds among them, the measure `tuned` has them taken in, and leads where no classes do. In the app:
    Review.

    In Python it returns COLUMNS.
    """
    ids = image_set.answers.ask(top, seed=seed)[["id", "neighbour_id"]].to_numpy(np.int64)
    contents = image_set.core.contents[image_set.core.rows_of(ids.ravel())].reshape(-1, 2)
    return _table(image_set, contents, np.full(len(ids), ""))


def _table(image_set: ImageSet, pairs: NDArray[np.int64], same: NDArray[np.str_]) -> pd.DataFrame:
    row = positions_of(pairs.ravel(), image_set.core.contents).reshape(-1, 2)
    names = np.append(image_set.table()["path"].to_numpy(object), "")
    keys = [[f"{key & (2**64 - 1):016x}" for key in side] for side in pairs.T.tolist()]
    return pd.DataFrame(dict(zip(COLUMNS, (names[row[:, 0]], names[row[:, 1]], same, *keys), strict=True)))


@capability("answers give")
def import_answers(
    image_set: ImageSet,
    file: Annotated[str | Path | IncomingFile, AsKind(Path), Doc("a CSV file, as `answers ask --out` writes it")],
    *,
    who: str | None = None,
) -> ImportedAnswers:
    """Store the answers of a CSV file with the columns path, neighbour_path and same, as one action for undo.

    Pictures are known by content where the file has it, else by path. Rows without an answer, or of pictures that this
    set has not, are passed over.

    In Python it raises FolderError for a file that cannot be read, has other columns, or an answer that is neither yes
    nor no; nothing is stored then. DecisionError without answers.
    """
    source = opened(file)
    table = read_csv(source)
    missing = [name for name in COLUMNS[:3] if name not in table]
    if missing:
        raise FolderError(
            f"{source.name!r} has no column {missing[0]!r}. Give {', '.join(COLUMNS[:3])}, as `answers ask` wrote them."
        )
    words = table["same"].str.strip().str.lower()
    odd = words[(words != "") & ~words.isin(list(_ANSWERS))]
    if len(odd):
        where = f"in the column same, line {odd.index[0] + 2}"
        raise FolderError(f"{source.name!r} has {odd.iloc[0][:40]!r} {where}. Say yes or no, or leave it empty.")
    answered = table[words != ""]
    sides = [("path", "content"), ("neighbour_path", "neighbour_content")]
    pairs = np.stack([_contents(image_set, answered, *names) for names in sides], axis=1)
    is_pair = (pairs != 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])
    if not is_pair.any():
        raise DecisionError(f"None of the {len(answered):,} answers in {source.name!r} is of pictures of this set.")
    same = words[answered.index].map(_ANSWERS).to_numpy(bool)[is_pair]
    answers = {(int(a), int(b)): bool(value) for (a, b), value in zip(pairs[is_pair], same, strict=True)}
    action = image_set.answers.log.answer(answers, who=who)
    return ImportedAnswers(action, len(table) - len(answered), int((~is_pair).sum()))


def _contents(image_set: ImageSet, rows: pd.DataFrame, path: str, content: str) -> NDArray[np.int64]:
    """The content keys (A,) of one side of the pairs, 0 for a picture that the set has not."""
    by_content = np.zeros(len(rows), np.int64)
    if content in rows:
        keys = np.array([_key(text) for text in rows[content]], np.int64)
        by_content = np.where(positions_of(keys, image_set.core.contents) >= 0, keys, 0)
    number, names = pd.factorize(np.array(read_paths(rows[path]), object))
    row = match_paths(names.tolist(), image_set.core.paths_of(image_set.core.ids), root=image_set.root).row
    by_path = np.where(row >= 0, image_set.core.contents[row], 0)[number]
    return np.where(by_content != 0, by_content, by_path)


def _key(text: str) -> int:
    """A content key from its sixteen hexadecimal digits; 0 for anything else."""
    try:
        number = int(text, 16) if len(text) == 16 else 0
    except ValueError:
        return 0
    return number - 2**64 if number >= 2**63 else number
