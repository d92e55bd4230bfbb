"""Derived columns: what is known of an image set, each declared once, and made again only when what it is of changes.

A column has a fingerprint: a digest of its version and of the fingerprints of what it is made of. It is looked for in
memory, then on disk, else made. What nothing is made of is a source: a stored table, the decisions, the answers.
"""

import hashlib
import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from url_viz.rows import CACHED_FROM
from url_viz.store.tables.derived_cache import MOST_CACHED, read_cached, write_cached

MOST_RESULTS = 64
"""So many results of functions of one column stay in memory (`Derived.result`)."""


class Get(Protocol):
    """Gives the value of a column or source by its name; only of those that the asking column is declared to be of."""

    def __call__(self, name: str, /) -> Any: ...


@dataclass(frozen=True)
class OnDisk:
    """How a column is cached on disk: as an Arrow table; with `only_large`, of large sets alone.

    `read` refuses a table that is not of this set (`url_viz.store.tables.derived_cache.require`): whoever alters a file
    can alter its checksums too. The column is then made again. `most` files of a space stay; the oldest goes.
    """

    write: Callable[[Any], pa.Table]
    read: Callable[[pa.Table, Get], Any]
    only_large: bool = False
    most: int = MOST_CACHED


@dataclass(frozen=True)
class Column:
    """One derived column, or a record that follows from several.

    `make` is given a `Get` for what it is `of`, and asks for what it needs. `version` rises with a change of `make`.
    What it `gives` are columns of the table: its value is then a mapping of these names, or an empty one. With
    `digest`, what is made of this column hangs on its value, not on what it was made of: it stays where a change of
    these leaves the value as it was.
    """

    name: str
    of: tuple[str, ...]
    make: Callable[[Get], Any]
    version: int = 1
    gives: tuple[str, ...] = ()
    digest: Callable[[Any], bytes] | None = None
    on_disk: OnDisk | None = None


@dataclass(frozen=True)
class Input:
    """What no column makes: `fingerprint` is cheap, and another one whenever `read` would give something else."""

    name: str
    fingerprint: Callable[[], str]
    read: Callable[[], Any]


@dataclass(frozen=True)
class DiskCache:
    """Where columns are cached on disk: in `folder`, a folder each, by the key of a space.

    `size` counts the files of the set; from `large_from` on it is a large one.
    """

    folder: Path
    space_key: str
    size: Callable[[], int]
    large_from: int = CACHED_FROM

    def takes(self, on_disk: OnDisk) -> bool:
        """Whether a column of this set is cached."""
        return not on_disk.only_large or self.size() >= self.large_from


@dataclass(frozen=True)
class _Made:
    """A value with the fingerprint that it was made under, and its own."""

    under: str
    fingerprint: str
    value: Any


@dataclass
class _Entry:
    """One column in memory; its lock lets one thread make it while others wait."""

    made: _Made | None = None
    under: tuple[tuple[str, ...], str] = (), ""
    """What all sources of the column were at the last look, and its digest then."""
    lock: threading.RLock = field(default_factory=threading.RLock)


class Derived:
    """The derived columns of one snapshot. Threads may share it: a column is made by one while others wait for it.

    Locks are taken from a column to what it is made of. As that has no cycle, there is no deadlock.
    """

    def __init__(self, columns: Iterable[Column], sources: Iterable[Input], *, disk: DiskCache | None = None) -> None:
        """Every name in a column's `of` is a source, or a column before it: a circle cannot be declared."""
        self._sources = {each.name: each for each in sources}
        self._columns: dict[str, Column] = {}
        self._sources_of: dict[str, tuple[str, ...]] = {name: (name,) for name in self._sources}
        for column in columns:
            unknown = [name for name in column.of if name not in self._columns and name not in self._sources]
            if unknown or column.name in self._columns or column.name in self._sources:
                raise ValueError(f"{column.name!r} is declared twice, or of {unknown}, which stand nowhere before it")
            self._columns[column.name] = column
            self._sources_of[column.name] = tuple({one: None for each in column.of for one in self._sources_of[each]})
        self._slots = {name: _Entry() for name in (*self._columns, *self._sources)}
        self._results: dict[str, tuple[str, dict[Hashable, Any]]] = {}
        self._disk = disk

    def get(self, name: str) -> Any:
        """The value of a column or source; the same object while its fingerprint is the same."""
        return self._made(name, {}).value

    def is_cached(self, name: str) -> bool:
        """Whether a column is in memory as it would be made, or can be read from disk; it is then in memory."""
        seen: dict[str, str] = {}
        column = self._columns[name]
        under = self._under(column, seen)
        made, on_disk = self._slots[name].made, column.on_disk
        if made is not None and made.under == under:
            return True
        if on_disk is None or self._disk is None:
            return False
        value = self._on_disk(column, under, seen)
        if value is not None:
            self._slots[name].made = _Made(under, self._print_of(name, under, value), value)
        return value is not None

    def fingerprint(self, name: str) -> str:
        """A text that is another one once `get` would give something else."""
        return self._fingerprint(name, {})

    def result(self, name: str, key: Hashable, make: Callable[[Any], Any]) -> Any:
        """What `make` gives of a column's value, made once for each `key` and fingerprint; not to be changed."""
        made = self._made(name, {})
        known = self._results.get(name)
        if known is None or known[0] != made.fingerprint:
            known = self._results[name] = made.fingerprint, {}
        if key not in known[1]:
            known[1][key] = make(made.value)
            for oldest in list(known[1])[:-MOST_RESULTS]:
                known[1].pop(oldest, None)
        return known[1][key]

    def _fingerprint(self, name: str, seen: dict[str, str]) -> str:
        """`seen` has the fingerprints of this look: each source is asked once."""
        if name not in seen:
            if name in self._sources:
                seen[name] = self._sources[name].fingerprint()
            elif self._columns[name].digest is None:
                seen[name] = self._under(self._columns[name], seen)
            else:
                seen[name] = self._made(name, seen).fingerprint
        return seen[name]

    def _under(self, column: Column, seen: dict[str, str]) -> str:
        """The digest of a column's version and of what it is of: again where a source is another."""
        slot, now = (
            self._slots[column.name],
            tuple(self._fingerprint(one, seen) for one in self._sources_of[column.name]),
        )
        if slot.under[0] == now and slot.under[1]:
            return slot.under[1]
        digest = hashlib.blake2b(f"{column.name}\0{column.version}".encode(), digest_size=12)
        for other in column.of:
            digest.update(f"\0{self._fingerprint(other, seen)}".encode("utf-8", "surrogatepass"))
        slot.under = now, digest.hexdigest()
        return slot.under[1]

    def _made(self, name: str, seen: dict[str, str]) -> _Made:
        source, slot = self._sources.get(name), self._slots[name]
        under = self._fingerprint(name, seen) if source else self._under(self._columns[name], seen)
        made = slot.made
        if made is not None and made.under == under:
            return made
        with slot.lock:
            made = slot.made
            if made is None or made.under != under:
                value = source.read() if source else self._value(self._columns[name], under, seen)
                made = slot.made = _Made(under, self._print_of(name, under, value), value)
        return made

    def _print_of(self, name: str, under: str, value: Any) -> str:
        """The fingerprint of a value: that which it was made under, or a digest of it."""
        digest = None if name in self._sources else self._columns[name].digest
        return under if digest is None else hashlib.blake2b(digest(value), digest_size=12).hexdigest()

    def _value(self, column: Column, under: str, seen: dict[str, str]) -> Any:
        """A column from disk, else made, and cached there."""
        value = self._on_disk(column, under, seen)
        if value is None:
            value = column.make(self._getter(column, seen))
            if value is not None and column.on_disk and self._disk and self._disk.takes(column.on_disk):
                table, folder = column.on_disk.write(value), self._disk.folder / column.name
                write_cached(folder, self._disk.space_key, under, table, most=column.on_disk.most)
        return value

    def _on_disk(self, column: Column, under: str, seen: dict[str, str]) -> Any:
        """A column as it is cached on disk; None if it is not."""
        get, on_disk = self._getter(column, seen), column.on_disk
        if on_disk is None or self._disk is None:
            return None
        folder = self._disk.folder / column.name
        return read_cached(folder, self._disk.space_key, under, lambda table: on_disk.read(table, get))

    def _getter(self, column: Column, seen: dict[str, str]) -> Get:
        def get(name: str, /) -> Any:
            if name not in column.of:
                raise KeyError(f"{column.name!r} is not declared to be of {name!r}")
            return self._made(name, seen).value

        return get
