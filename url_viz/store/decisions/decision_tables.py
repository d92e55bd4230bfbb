"""The tables of the decision log as SQL."""

SCHEMA_VERSION = 4
"""Of these tables: a file of another schema is refused."""

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
    """CREATE TABLE answer (
        row INTEGER PRIMARY KEY, first INTEGER NOT NULL, second INTEGER NOT NULL, same INTEGER NOT NULL,
        UNIQUE (first, second))""",
    """CREATE TABLE answer_change (
        batch INTEGER NOT NULL, first INTEGER NOT NULL, second INTEGER NOT NULL,
        same_before INTEGER NOT NULL, same_after INTEGER NOT NULL)""",
    "CREATE INDEX answer_change_of_batch ON answer_change (batch)",
    """CREATE TABLE step (
        version INTEGER PRIMARY KEY, batch INTEGER NOT NULL,
        side TEXT NOT NULL CHECK (side IN ('before', 'after')))""",
    "CREATE TABLE version (number INTEGER NOT NULL, labels INTEGER NOT NULL, total INTEGER NOT NULL)",
)
"""`step` says which side of which action made each version. `version.total` is the checksum of all decisions and
answers, `batch.total` what the action adds to it, `batch.seal` the checksum of the rest of its row."""


def one_line(sql: str | None) -> str:
    """SQL as it is compared: without line breaks and indents; empty for none."""
    return " ".join((sql or "").split())


OURS = frozenset({*map(one_line, TABLES), "CREATE TABLE sqlite_sequence(name,seq)", ""})
"""The SQL, in one line each, that a file has in `sqlite_master`."""
