"""The tables of the decision log as SQL, by schema, and how an older file becomes one of this schema."""

SCHEMA_VERSION = 3
"""A file of schema 1, without labels and names of users, or 2, without answers, is raised by the next action."""

_CHANGE_OF_BATCH = "CREATE INDEX change_of_batch ON change (batch)"
_VERSION = "CREATE TABLE version (number INTEGER NOT NULL, labels INTEGER NOT NULL)"
_ANSWER_CHANGE_OF_BATCH = "CREATE INDEX answer_change_of_batch ON answer_change (batch)"
TABLES = (
    """CREATE TABLE decision (
        row INTEGER PRIMARY KEY, id INTEGER NOT NULL, content INTEGER NOT NULL,
        code INTEGER NOT NULL, tags TEXT NOT NULL, labels TEXT NOT NULL, UNIQUE (id, content))""",
    """CREATE TABLE batch (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL, did TEXT NOT NULL,
        count INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'dropped')))""",
    """CREATE TABLE change (
        batch INTEGER NOT NULL, id INTEGER NOT NULL, content INTEGER NOT NULL,
        code_before INTEGER NOT NULL, tags_before TEXT NOT NULL, labels_before TEXT NOT NULL,
        code_after INTEGER NOT NULL, tags_after TEXT NOT NULL, labels_after TEXT NOT NULL)""",
    _CHANGE_OF_BATCH,
    """CREATE TABLE answer (
        row INTEGER PRIMARY KEY, first INTEGER NOT NULL, second INTEGER NOT NULL, same INTEGER NOT NULL,
        UNIQUE (first, second))""",
    """CREATE TABLE answer_change (
        batch INTEGER NOT NULL, first INTEGER NOT NULL, second INTEGER NOT NULL,
        same_before INTEGER NOT NULL, same_after INTEGER NOT NULL)""",
    _ANSWER_CHANGE_OF_BATCH,
    _VERSION,
)
OLDER_TABLES = {
    1: (
        """CREATE TABLE decision (
        row INTEGER PRIMARY KEY, id INTEGER NOT NULL, content INTEGER NOT NULL,
        code INTEGER NOT NULL, tags TEXT NOT NULL, UNIQUE (id, content))""",
        """CREATE TABLE batch (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, did TEXT NOT NULL, count INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'dropped')))""",
        """CREATE TABLE change (
        batch INTEGER NOT NULL, id INTEGER NOT NULL, content INTEGER NOT NULL,
        code_before INTEGER NOT NULL, tags_before TEXT NOT NULL,
        code_after INTEGER NOT NULL, tags_after TEXT NOT NULL)""",
        _CHANGE_OF_BATCH,
        "CREATE TABLE version (number INTEGER NOT NULL)",
    ),
    2: (*TABLES[:4], _VERSION),
}
"""The tables by older schema."""
RAISED = {
    1: (
        ("decision", "row, id, content, code, tags, ''"),
        ("batch", "number, at, '', did, count, state"),
        ("change", "batch, id, content, code_before, tags_before, '', code_after, tags_after, ''"),
        ("version", "number, 0"),
    ),
    2: (),
}
"""By older schema, the tables that have other columns now, and what of the old ones goes into them."""


def tables_of(schema_version: int) -> frozenset[str] | None:
    """The SQL, in one line each, that a file of a schema has in `sqlite_master`; None if there is no such schema."""
    known = {**OLDER_TABLES, SCHEMA_VERSION: TABLES}.get(schema_version)
    return None if known is None else frozenset({*map(one_line, known), "CREATE TABLE sqlite_sequence(name,seq)", ""})


def one_line(sql: str | None) -> str:
    """SQL as it is compared: without line breaks and indents; empty for none."""
    return " ".join((sql or "").split())
