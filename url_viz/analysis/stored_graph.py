"""The neighbour graph of an image set and its whitened space, as columns."""

from dataclasses import fields
from typing import Any

import pyarrow as pa

from url_viz.analysis.derived import ByContent, OnDisk, column
from url_viz.analysis.table import Frame
from url_viz.store.tables.derived_cache import numbers_from_table, rows_from_table, rows_to_table, table_of
from url_viz.store.tables.tables import Graph, GraphColumns, graph_schema
from url_viz.store.tables.whitened_rows import WhitenedRows, Whitening

_GRAPH = pa.schema([(field.name, graph_schema(1).field(field.name).type) for field in fields(GraphColumns)])


def _graph_columns_from(table: pa.Table, graph_size: int) -> GraphColumns:
    codes = dict.fromkeys(("nearest", "copy_group", "twin_group"), graph_size)
    columns: dict[str, Any] = numbers_from_table(table, _GRAPH, graph_size, codes=codes)
    return GraphColumns(**columns)


def _whitened_from(table: pa.Table, whitening: Whitening | None, base: Frame) -> WhitenedRows:
    if whitening is None:
        raise ValueError("there is no whitened space")
    return WhitenedRows(whitening, base.contents, rows_from_table(table, (len(base.contents), len(whitening.scales))))


@column(on_disk=OnDisk(table_of, _graph_columns_from, only_large=True))
def own_graph_columns(stored_graph_columns: GraphColumns | None) -> GraphColumns | None:
    """What the graph says of each distinct content, without its lists; None before there is one."""
    return stored_graph_columns


@column()
def graph(stored_graph: Graph | None) -> Graph | None:
    """The neighbour graph of the distinct contents; None before it is made."""
    return stored_graph


@column(on_disk=OnDisk(lambda value: rows_to_table(value.rows), _whitened_from, only_large=True, most=1))
def whitened(whitened_of: ByContent[WhitenedRows], base: Frame) -> WhitenedRows:
    """The pictures in the set's whitened space, rows in the order of the table."""
    return whitened_of(base.contents)


@column()
def whitened_graph(whitened_of: ByContent[WhitenedRows], own_graph_columns: GraphColumns | None) -> WhitenedRows | None:
    """The contents of the graph in the whitened space; None before there is one."""
    return None if own_graph_columns is None else whitened_of(own_graph_columns.content)
