"""Imported by every Python of the app under test as `sitecustomize`: notes, and refuses, any way off this machine."""

SOURCE = """
import os, socket, sys

TRIED = os.environ.get("URL_VIZ_TEST_TRIED") or os.path.dirname(os.path.dirname(__file__)) + "/tried"

def _note(what):
    with open(TRIED, "a") as file:
        file.write(f"{what} by {sys.argv[:4]}\\n")

def _is_here(address):
    if not isinstance(address, tuple):
        return True  # a socket in the file system
    return str(address[0]) in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "")

def _guard(event, arguments):
    if event in ("socket.connect", "socket.sendto") and not _is_here(arguments[1]):
        _note(f"{event} {arguments[1]}")
        raise OSError(101, "Network is unreachable")
    if event in ("socket.getaddrinfo", "socket.gethostbyname") and not _is_here((arguments[0] or "",)):
        if isinstance(arguments[0], bytes):
            name = arguments[0].decode()
            if _is_here((name,)):
                return
        _note(f"{event} {arguments[0]}")
        raise OSError(-2, "Name or service not known")

sys.addaudithook(_guard)
with open(TRIED + ".guarded", "a") as file:
    file.write(f"{sys.orig_argv}\\n")
"""
