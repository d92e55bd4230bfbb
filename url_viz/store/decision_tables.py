"""The tables of the decision log as SQL, by schema, and how an older file becomes one of this schema."""

SCHEMA_VERSION = 4
"""A file of schema 1 (no labels, no names of users), 2 (no answers) or 3 (names were tags, no checksums) is raised by
the next action."""

_CHANGE_OF_BATCH = "CREATE INDEX change_of_batch ON change (batch)"
_ANSWER_CHANGE_OF_BATCH = "CREATE INDEX answer_change_of_batch ON answer_change (batch)"
_ANSWERS = (
    """CREATE TABLE answer (
        row INTEGER PRIMARY KEY, first INTEGER NOT NULL, second INTEGER NOT NULL, same INTEGER NOT NULL,
        UNIQUE (first, second))""",
    """CREATE TABLE answer_change (
        batch INTEGER NOT NULL, first INTEGER NOT NULL, second INTEGER NOT NULL,
        same_before INTEGER NOT NULL, same_after INTEGER NOT NULL)""",
    _ANSWER_CHANGE_OF_BATCH,
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
    _CHANGE_OF_BATCH,
    *_ANSWERS,
    """CREATE TABLE step (
        version INTEGER PRIMARY KEY, batch INTEGER NOT NULL,
        side TEXT NOT NULL CHECK (side IN ('before', 'after')))""",
    "CREATE TABLE version (number INTEGER NOT NULL, labels INTEGER NOT NULL, total INTEGER NOT NULL)",
)
"""`step` says which side of which action made each version. `version.total` is the checksum of all decisions and
answers, `batch.total` what the action adds to it, `batch.seal` the checksum of the rest of its row."""
_OF_BEFORE_NAMES = (
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
    "CREATE TABLE version (number INTEGER NOT NULL, labels INTEGER NOT NULL)",
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
    2: _OF_BEFORE_NAMES,
    3: (*_OF_BEFORE_NAMES, *_ANSWERS),
}
"""The tables by older schema."""
_RAISED = (
    ("decision", "row, id, content, code, tags, labels, ''"),
    ("batch", "number, at, who, did, count, state, 0, 0"),
    (
        "change",
        "batch, id, content, code_before, tags_before, labels_before, '', code_after, tags_after, labels_after, ''",
    ),
    ("version", "number, labels, 0"),
)
RAISED = {
    1: (
        ("decision", "row, id, content, code, tags, '', ''"),
        ("batch", "number, at, '', did, count, state, 0, 0"),
        ("change", "batch, id, content, code_before, tags_before, '', '', code_after, tags_after, '', ''"),
        ("version", "number, 0, 0"),
    ),
    2: _RAISED,
    3: _RAISED,
}
"""By older schema, the tables that have other columns now, and what of the old ones goes into them."""


def tables_of(schema_version: int) -> frozenset[str] | None:
    """The SQL, in one line each, that a file of a schema has in `sqlite_master`; None if there is no such schema."""
    known = {**OLDER_TABLES, SCHEMA_VERSION: TABLES}.get(schema_version)
    return None if known is None else frozenset({*map(one_line, known), "CREATE TABLE sqlite_sequence(name,seq)", ""})


def one_line(sql: str | None) -> str:
    """SQL as it is compared: without line breaks and indents; empty for none."""
    return " ".join((sql or "").split())
