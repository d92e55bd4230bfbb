"""What is said of a disk that fails."""

import errno
from pathlib import Path

from url_viz.base.workspace import Workspace
from url_viz.store.about import find_disk_error


def test_a_full_disk_says_that_something_is_kept_only_where_it_is(tmp_path: Path) -> None:
    paths, full = Workspace.at(tmp_path).set_paths("0123456789abcdef"), OSError(errno.ENOSPC, "No space left")
    assert "Nothing is kept yet: make room" in str(find_disk_error(full, paths))
    (paths.tables / "files.lance" / "_versions").mkdir(parents=True)
    assert "Nothing is kept yet" in str(find_disk_error(full, paths)), "a table that was begun"
    (paths.tables / "files.lance" / "_versions" / "1.manifest").write_bytes(b"1")
    assert "What was read is kept: make room" in str(find_disk_error(full, paths))
