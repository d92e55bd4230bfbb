"""The tables of the decision log as SQL, by schema, and how an older file becomes one of this schema."""

import re
import sqlite3

from url_viz.store.decisions.decision_rows import BETWEEN_TAGS

SCHEMA_VERSION = 4
"""A file of the schema before this one (names were tags, there were no checksums) is raised when it is opened."""

_ANSWERS = (
    """CREATE TABLE answer (
        row INTEGER PRIMARY KEY, first INTEGER NOT NULL, second INTEGER NOT NULL, same INTEGER NOT NULL,
        UNIQUE (first, second))""",
    """CREATE TABLE answer_change (
        batch INTEGER NOT NULL, first INTEGER NOT NULL, second INTEGER NOT NULL,
        same_before INTEGER NOT NULL, same_after INTEGER NOT NULL)""",
    "CREATE INDEX answer_change_of_batch ON answer_change (batch)",
)
TABLES = (
    """CREATE TABLE decision (
        row INTEGER PRIMARY KEY, id INTEGER NOT NULL, content INTEGER NOT NULL, code INTEGER NOT NULL,
        tags TEXT NOT NULL, labels TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (id, content))""",
    """CREATE TABLE batch (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL, did TEXT NOT NULL,
        count INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'dropped')),
        total INTEGER NOT NULL, seal INTEGER NOT NULL)""",
    "CREATE INDEX batch_of_state ON batch (state, number)",
    """CREATE TABLE change (
        batch INTEGER NOT NULL, id INTEGER NOT NULL, content INTEGER NOT NULL,
        code_before INTEGER NOT NULL, tags_before TEXT NOT NULL, labels_before TEXT NOT NULL, name_before TEXT NOT NULL,
        code_after INTEGER NOT NULL, tags_after TEXT NOT NULL, labels_after TEXT NOT NULL, name_after TEXT NOT NULL)""",
    "CREATE INDEX change_of_batch ON change (batch)",
    *_ANSWERS,
    """CREATE TABLE step (
        version INTEGER PRIMARY KEY, batch INTEGER NOT NULL,
        side TEXT NOT NULL CHECK (side IN ('before', 'after')))""",
    "CREATE TABLE version (number INTEGER NOT NULL, labels INTEGER NOT NULL, total INTEGER NOT NULL)",
)
"""`step` says which side of which action made each version. `version.total` is the checksum of all decisions and
answers, `batch.total` what the action adds to it, `batch.seal` the checksum of the rest of its row."""
_NEW_COLUMNS = re.compile(r",\s+(name(_before|_after)?|total|seal) \w+ NOT NULL")
_NEW_TABLES = ("step", "batch_of_state")
TABLES_OF = {
    SCHEMA_VERSION - 1: tuple(_NEW_COLUMNS.sub("", sql) for sql in TABLES if sql.split()[2] not in _NEW_TABLES),
    SCHEMA_VERSION: TABLES,
}
"""The tables by schema."""
_RAISED = {
    "decision": "row, id, content, code, tags_in(tags), labels, name_in(tags)",
    "batch": "number, at, who, did, count, state, 0, 0",
    "change": "batch, id, content, code_before, tags_in(tags_before), labels_before, name_in(tags_before), "
    "code_after, tags_in(tags_after), labels_after, name_in(tags_after)",
    "version": "number, labels, 0",
}
"""The tables that have other columns than in the schema before, and what of the old ones goes into them."""


def raise_schema(connection: sqlite3.Connection) -> None:
    """Give the tables of the schema before this one the columns of this one; their checksums are 0.

    A name was one of the tags. What an action that gave names added to the tags is taken for a name wherever it is
    among them.
    """
    given = connection.execute(
        "SELECT tags_before, tags_after FROM change JOIN batch ON number = batch WHERE did GLOB '*named [0-9]*'"
    )
    names = {tag for before, after in given for tag in _tags(after)[:1] if tag not in _tags(before)}

    def name_in(tags: str) -> str:
        return next((tag for tag in _tags(tags) if tag in names), "")

    def tags_in(tags: str) -> str:
        return BETWEEN_TAGS.join(tag for tag in _tags(tags) if tag != name_in(tags))

    for function in (name_in, tags_in):
        connection.create_function(function.__name__, 1, function)
    for name in _RAISED:
        connection.execute(f"ALTER TABLE {name} RENAME TO older_{name}")
    connection.execute("DROP INDEX change_of_batch")
    for table in TABLES:
        if table not in _ANSWERS:
            connection.execute(table)
    for name, columns in _RAISED.items():
        connection.execute(f"INSERT INTO {name} SELECT {columns} FROM older_{name} ORDER BY rowid")
        connection.execute(f"DROP TABLE older_{name}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _tags(text: str) -> list[str]:
    return text.split(BETWEEN_TAGS)


def tables_of(schema_version: int) -> frozenset[str] | None:
    """The SQL, in one line each, that a file of a schema has in `sqlite_master`; None if there is no such schema."""
    tables = TABLES_OF.get(schema_version)
    return None if tables is None else frozenset({*map(one_line, tables), "CREATE TABLE sqlite_sequence(name,seq)", ""})


def one_line(sql: str | None) -> str:
    """SQL as it is compared: without line breaks and indents; empty for none."""
    return " ".join((sql or "").split())
