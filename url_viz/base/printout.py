"""What a capability gives, ready to be shown: sentences and tables, on a terminal, in a file, on a page or as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

from url_viz.base.records import sealed_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """Rows, of which a screen shows `columns` (all without any), numbers in the format `number`, below a `title`."""

    rows: "pd.DataFrame"
    columns: Sequence[str] = ()
    title: str = ""
    number: str = "{:.3f}"
    noun: str = "row"
    plural: str | None = None

    def shown(self) -> "pd.DataFrame":
        """The columns for a screen, without those that have no value in any row."""
        names = [name for name in self.columns or self.rows.columns if name in self.rows]
        says = (name for name in names if (self.rows[name].notna() & (self.rows[name] != "")).any())
        return self.rows[[*says] if len(self.rows) else names]


@dataclass(frozen=True)
class Printout:
    """Sentences, then tables, then sentences that say how to go on.

    `notes` are for the terminal alone, beside what a pipe reads. `figures` is what JSON has in place of sentences and
    tables, if it has more; a record is sealed, so that it can be read again. `file` is what is written to a table file,
    by default the first table. `status` is the exit status of a command.
    """

    words: Sequence[str] = ()
    tables: Sequence[Table] = ()
    closing: Sequence[str] = ()
    notes: Sequence[str] = ()
    figures: Any = None
    file: Table | None = None
    status: int = 0

    def as_json(self, *, whole: bool = False) -> str:
        """What is shown as JSON, or, as a file takes it, the `whole` of its table; nan and infinity are null."""
        if is_dataclass(self.figures):
            return sealed_text(self.figures)
        if self.figures is not None:
            return json.dumps(_plain(self.figures), default=str, indent=1)
        tables = [self.file] if whole and self.file is not None else self.tables
        rows = [json.loads(table.rows.to_json(orient="records")) for table in tables]
        named = {"words": [*self.words, *self.closing]}
        return json.dumps(named if not rows else {**named, **_named(tables, rows)}, indent=1)


@dataclass(frozen=True)
class TableStyle:
    """How a table that a capability returns is shown: see `Table`."""

    columns: Sequence[str] = ()
    number: str = "{:.3f}"
    noun: str = "row"
    plural: str | None = None
    empty: str = "(none)"


def printout_of(result: Any, shown: TableStyle = TableStyle()) -> Printout:
    """The result of a capability as a printout.

    A DataFrame is a table; a record gives its `printout()`, or else its `words` and, as JSON, its fields; text is a
    sentence; a number is an exit status.
    """
    if isinstance(result, Printout):
        return result
    if result is None or isinstance(result, int):
        return Printout(status=int(result or 0))
    if isinstance(result, str):
        return Printout(words=[result])
    if hasattr(result, "to_json"):
        if not len(result):
            return Printout(words=[shown.empty], tables=[Table(result)], figures=[])
        return Printout(tables=[Table(result, shown.columns, "", shown.number, shown.noun, shown.plural)])
    if hasattr(result, "printout"):
        printout: Printout = result.printout()
        return printout
    if isinstance(result, Sequence):
        return Printout(words=[*map(str, result)])
    words = getattr(result, "words", ())
    figures = asdict(result) if is_dataclass(result) and not isinstance(result, type) else None
    return Printout(words=[words] if isinstance(words, str) else [*words], figures=figures)


def _named(tables: Sequence[Table], rows: Sequence[Any]) -> dict[str, Any]:
    if len(tables) == 1:
        return {"rows": rows[0]}
    return {table.title.rstrip(":") or f"rows {number}": rows[number] for number, table in enumerate(tables)}


def _plain(value: Any) -> Any:
    """Values for JSON: tables as records, nan and infinity as None."""
    if hasattr(value, "to_json"):
        return json.loads(value.to_json(orient="records"))
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
