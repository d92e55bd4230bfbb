"""Whether other people have accounts on this machine, as on the login node of a cluster.

They reach what listens on 127.0.0.1 as well as its owner does.
"""

import os
import pwd
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FIRST_PERSON = 500 if sys.platform == "darwin" else 1000
"""Ids of users below are of the system and its services."""
NOBODY = 65534
NO_LOGIN = {"nologin", "false", "sync"}
"""Shells of accounts that nobody logs in to."""


def others_have_accounts() -> bool:
    """Whether others have accounts with a shell, folders beside the home folder or processes, or there is SLURM.

    Networks of accounts (LDAP) often do not list all of theirs; folders and processes show those who are there.
    """
    return shutil.which("sbatch") is not None or any(map(_is_somebody_else, _users()))


def others_may_enter(folder: Path) -> bool:
    """Whether the permissions of an existing folder, and of those above it, let other accounts in."""
    with suppress(OSError):
        return all(place.stat().st_mode & 0o011 for place in (folder, *folder.parents))
    return False


def _users() -> Iterator[int]:
    yield from (account.pw_uid for account in pwd.getpwall() if not _is_no_login(account))
    for folder in (Path.home().parent, Path("/home"), Path("/proc")):
        with suppress(OSError):
            for entry in folder.iterdir():
                with suppress(OSError):  # a process that has ended
                    yield entry.lstat().st_uid


def _is_somebody_else(user: int) -> bool:
    if user < FIRST_PERSON or user in (os.getuid(), NOBODY):
        return False
    try:
        return not _is_no_login(pwd.getpwuid(user))
    except KeyError:  # as within a container, which does not know the names of the people outside
        return True


def _is_no_login(account: pwd.struct_passwd) -> bool:
    return Path(account.pw_shell).name in NO_LOGIN
