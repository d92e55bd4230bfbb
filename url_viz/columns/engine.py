"""Derived columns: what is known of an image set, each declared once, and made again only when its inputs change.

A column is a function; its parameters are called like its inputs, which are other columns, or sources: a stored table,
the decisions, the answers. It has a fingerprint, a digest of its version and of the fingerprints of its inputs, and is
looked for in memory, then on disk, else made.
"""

import hashlib
import inspect
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, get_origin

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.rows import CACHED_FROM
from url_viz.store.tables.stored_arrow import MOST_CACHED, read_cached, write_cached

MOST_RESULTS = 64
"""Results of functions of one column that stay in memory (`Derived.result`)."""

Inputs = ParamSpec("Inputs")
Value = TypeVar("Value")
Read = TypeVar("Read", covariant=True)
ByContent = Callable[[NDArray[np.int64]], Value]
"""Reads something of each of some contents (M,)."""


class Lazy(Protocol[Read]):
    """An input that is made only if the function calls it, for what is expensive and seldom needed."""

    def __call__(self) -> Read: ...


@dataclass(frozen=True)
class OnDisk:
    """How a column is cached on disk: as an Arrow table; with `only_large`, of large sets alone.

    `read` is given the table, and whatever else its parameters name, which are inputs of the column, too. It refuses a
    table that is not of this set (`url_viz.store.tables.stored_arrow.require`): whoever alters a file can alter its
    checksums too. The column is then made again. `most` files of a space stay; the oldest goes.
    """

    write: Callable[[Any], pa.Table]
    read: Callable[..., Any]
    only_large: bool = False
    most: int = MOST_CACHED


@dataclass(frozen=True, eq=False)
class Column(Generic[Inputs, Value]):
    """One derived column, or a record that follows from several; declared by `column`.

    `version` rises with a change of `make`. A column that `gives` columns of the table has a mapping of these names as
    its value, or an empty one. With `digest`, what is made of this column depends on its value, not on its inputs: it
    stays where a change of these leaves the value as it was. `renamed` maps parameters to inputs of another name.
    """

    name: str
    make: Callable[Inputs, Value]
    version: int = 1
    gives: tuple[str, ...] = ()
    digest: Callable[[Value], bytes] | None = None
    on_disk: OnDisk | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *args: Inputs.args, **named: Inputs.kwargs) -> Value:
        return self.make(*args, **named)

    def variant(self, name: str, **renamed: str) -> "Column[Inputs, Value]":
        """The same function as another column, of other inputs, by parameter."""
        return replace(self, name=name, renamed=renamed)

    @cached_property
    def parameters(self) -> tuple["Parameter", ...]:
        return tuple(self._parameters_of(self.make))

    @cached_property
    def parameters_of_read(self) -> tuple["Parameter", ...]:
        """What `on_disk.read` is given besides the table."""
        return tuple(self._parameters_of(self.on_disk.read))[1:] if self.on_disk else ()

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.input for each in (*self.parameters, *self.parameters_of_read)))

    def _parameters_of(self, function: Callable[..., Any]) -> Iterator["Parameter"]:
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                yield from (Parameter(each, each, is_lazy=False) for each in self.renamed)
            else:
                is_lazy = get_origin(parameter.annotation) is Lazy
                yield Parameter(name, self.renamed.get(name, name), is_lazy=is_lazy)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a column's function, and the column or source that it is given."""

    name: str
    input: str
    is_lazy: bool


GIVEN: set[str] = set()
"""The columns of the table that declared columns give: a user's column of such a name gets another one."""


def column(
    *,
    version: int = 1,
    gives: tuple[str, ...] = (),
    digest: Callable[[Any], bytes] | None = None,
    on_disk: OnDisk | None = None,
) -> Callable[[Callable[Inputs, Value]], Column[Inputs, Value]]:
    """Declare the function below as the column of its name; see `Column`."""
    GIVEN.update(gives)

    def declared(make: Callable[Inputs, Value]) -> Column[Inputs, Value]:
        return Column(make.__name__, make, version, gives, digest, on_disk)

    return declared


@dataclass(frozen=True, eq=False)
class ColumnSource(Generic[Value]):
    """What no column makes, declared by `source`: `read` gives its value for a context, each time anew.

    `fingerprint` is cheap, and changes whenever `read` would give something else. What may change while a set is open
    `is_live`: its fingerprint is asked for at each look.
    """

    name: str
    read: Callable[[Any], Value]
    fingerprint: Callable[[Any], str]
    is_live: bool = False


def source(
    fingerprint: Callable[[Any], str], *, is_live: bool = False
) -> Callable[[Callable[[Any], Value]], ColumnSource[Value]]:
    """Declare the function below as the source of its name; see `ColumnSource`."""

    def declared(read: Callable[[Any], Value]) -> ColumnSource[Value]:
        return ColumnSource(read.__name__, read, fingerprint, is_live)

    return declared


Declared = TypeVar("Declared", Column[..., Any], ColumnSource[Any])


def declared_in(modules: Iterable[ModuleType], kind: type[Declared]) -> Iterator[Declared]:
    """The columns, or sources, that modules declare, each once."""
    values = chain.from_iterable(vars(module).values() for module in modules)
    return iter({id(each): each for each in values if isinstance(each, kind)}.values())


@dataclass(frozen=True)
class DiskCache:
    """Where columns are cached on disk: in `folder`, a folder each, by the key of a space.

    `size` counts the files of the set; from `large_from` on it is a large one.
    """

    folder: Path
    space_key: str
    size: Callable[[], int]
    large_from: int = CACHED_FROM


@dataclass(frozen=True)
class _Made:
    """A value with the fingerprint that it was made under, and its own."""

    under: str
    fingerprint: str
    value: Any


Look = dict[Hashable, str]
"""The fingerprints of one look, by column or by the function that gives a source's."""


@dataclass
class _Entry:
    """One column, or result of one, in memory; its lock lets one thread make it while others wait."""

    made: _Made | None = None
    under: tuple[tuple[str, ...], str] = (), ""
    """The fingerprints of the column's live sources at the last look, and its own then."""
    lock: threading.RLock = field(default_factory=threading.RLock)


class Derived:
    """The derived columns of one snapshot. Threads may share it: a column is made by one while others wait for it.

    Locks are taken from a column to its inputs. As that has no cycle, there is no deadlock.
    """

    def __init__(
        self,
        columns: Iterable[Column[..., Any]],
        sources: Iterable[ColumnSource[Any]],
        context: Any = None,
        *,
        disk: DiskCache | None = None,
    ) -> None:
        """`context` is what sources read. Raises ValueError for a name twice, an input of no name, or a circle."""
        self._context, self._disk = context, disk
        self._sources = {each.name: each for each in sources}
        self._fixed = {each.name: each.fingerprint(context) for each in self._sources.values() if not each.is_live}
        self._columns: dict[str, Column[..., Any]] = {}
        for each in columns:
            if each.name in self._columns or each.name in self._sources:
                raise ValueError(f"{each.name!r} is declared twice")
            self._columns[each.name] = each
        self._live: dict[str, tuple[str, ...]] = {
            name: () if name in self._fixed else (name,) for name in self._sources
        }
        for name in TopologicalSorter({each.name: each.inputs for each in self._columns.values()}).static_order():
            if name not in self._columns and name not in self._sources:
                users = [each.name for each in self._columns.values() if name in each.inputs]
                raise ValueError(f"{name!r}, which {', '.join(users)} is made of, is neither a column nor a source")
            if name in self._columns:
                live = chain.from_iterable(self._live[each] for each in self._columns[name].inputs)
                self._live[name] = tuple(dict.fromkeys(live))
        self._entries = {name: _Entry() for name in self._columns}
        self._results: dict[str, tuple[str, dict[Hashable, _Entry]]] = {}
        self._listing = threading.Lock()

    def get(self, wanted: Column[..., Value] | ColumnSource[Value], /) -> Value:
        """The value of a column or source; of a column the same object while its fingerprint is the same."""
        value: Value = self._value(wanted.name, {})
        return value

    def is_cached(self, wanted: Column[..., Any]) -> bool:
        """Whether a column is in memory as it would be made, or can be read from disk; it is then in memory."""
        seen: Look = {}
        column = self._columns[wanted.name]
        under, entry = self._under(column, seen), self._entries[wanted.name]
        if entry.made is not None and entry.made.under == under:
            return True
        value = self._from_disk(column, under, seen)
        if value is not None:
            entry.made = _Made(under, self._fingerprint_of(column, under, value), value)
        return value is not None

    def fingerprint(self, wanted: Column[..., Any]) -> str:
        """A text that is another one once `get` would give something else."""
        return self._fingerprint(wanted.name, {})

    def result(self, wanted: Column[..., Value], key: Hashable, make: Callable[[Value], Any]) -> Any:
        """What `make` gives of a column's value, made once for each `key` and fingerprint; not to be changed.

        One thread makes it while others wait, and may ask for other results.
        """
        column = self._made(self._columns[wanted.name], {})
        with self._listing:
            known = self._results.get(wanted.name)
            if known is None or known[0] != column.fingerprint:
                known = self._results[wanted.name] = column.fingerprint, {}
            entry = known[1].setdefault(key, _Entry())
            for oldest in list(known[1])[:-MOST_RESULTS]:
                del known[1][oldest]
        with entry.lock:
            if entry.made is None:
                entry.made = _Made(column.under, column.fingerprint, make(column.value))
        return entry.made.value

    def _fingerprint(self, name: str, seen: Look) -> str:
        """`seen` has the fingerprints of this look: each is asked for once, also where sources have the same."""
        if name in self._fixed:
            return self._fixed[name]
        column = self._columns.get(name)
        key: Hashable = name if column else self._sources[name].fingerprint
        if key not in seen:
            if column is None:
                seen[key] = self._sources[name].fingerprint(self._context)
            else:
                seen[key] = self._under(column, seen) if column.digest is None else self._made(column, seen).fingerprint
        return seen[key]

    def _under(self, column: Column[..., Any], seen: Look) -> str:
        """The digest of a column's version and of its inputs: computed again where a source is another."""
        entry = self._entries[column.name]
        now = tuple(self._fingerprint(each, seen) for each in self._live[column.name])
        if entry.under[0] == now and entry.under[1]:
            return entry.under[1]
        digest = hashlib.blake2b(f"{column.name}\0{column.version}".encode(), digest_size=12)
        for other in column.inputs:
            digest.update(f"\0{self._fingerprint(other, seen)}".encode("utf-8", "surrogatepass"))
        entry.under = now, digest.hexdigest()
        return entry.under[1]

    def _value(self, name: str, seen: Look) -> Any:
        column = self._columns.get(name)
        return self._sources[name].read(self._context) if column is None else self._made(column, seen).value

    def _made(self, column: Column[..., Any], seen: Look) -> _Made:
        entry, under = self._entries[column.name], self._under(column, seen)
        made = entry.made
        if made is not None and made.under == under:
            return made
        with entry.lock:
            made = entry.made
            if made is None or made.under != under:
                value = self._from_disk_or_made(column, under, seen)
                made = entry.made = _Made(under, self._fingerprint_of(column, under, value), value)
        return made

    def _fingerprint_of(self, column: Column[..., Any], under: str, value: Any) -> str:
        return under if column.digest is None else hashlib.blake2b(column.digest(value), digest_size=12).hexdigest()

    def _from_disk_or_made(self, column: Column[..., Any], under: str, seen: Look) -> Any:
        value = self._from_disk(column, under, seen)
        if value is None:
            value = column.make(**self._arguments(column.parameters, seen))
            on_disk, disk = column.on_disk, self._disk
            if value is None or on_disk is None or disk is None:
                return value
            if not on_disk.only_large or disk.size() >= disk.large_from:
                table = on_disk.write(value)
                write_cached(disk.folder / column.name, disk.space_key, under, table, most=on_disk.most)
        return value

    def _from_disk(self, column: Column[..., Any], under: str, seen: Look) -> Any:
        on_disk, disk = column.on_disk, self._disk
        if on_disk is None or disk is None:
            return None

        return read_cached(
            disk.folder / column.name,
            disk.space_key,
            under,
            lambda table: on_disk.read(table, **self._arguments(column.parameters_of_read, seen)),
        )

    def _arguments(self, parameters: Iterable[Parameter], seen: Look) -> dict[str, Any]:
        return {
            each.name: partial(self._value, each.input, seen) if each.is_lazy else self._value(each.input, seen)
            for each in parameters
        }
