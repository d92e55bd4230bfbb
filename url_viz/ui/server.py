"""The start of the app's server, which takes Streamlit's settings from nobody but the user.

Streamlit also reads `.streamlit/config.toml` and `secrets.toml` of the folder that it is started in. That may be a
downloaded data set, and its settings would say which web pages may drive the app, whose login counts, and more.
"""

import sys
from pathlib import Path

import streamlit as st

from url_viz.errors import UsageError
from url_viz.printed import printable
from url_viz.ui.streamlit_private import files_read, read_settings_beside, run_streamlit, settings_files

CONFIG, SECRETS = "config.toml", "secrets.toml"


def main() -> None:
    """Serve a script as `streamlit run` does; this is what `url-viz` becomes."""
    script, *options = sys.argv[1:]
    read_settings_beside(Path(script))
    run_streamlit(["run", script, *options])


def guard_settings(script: Path) -> None:
    """From now on, read settings beside the app's script and in the home folder alone.

    Raises UsageError if `streamlit run` has taken settings of another folder already, as the port and the address that
    it listens on by now.
    """
    read_settings_beside(script)
    foreign = sorted(files_read() - set(settings_files(CONFIG)))
    if foreign:
        raise UsageError(
            f"Streamlit has read settings of the folder that it was started in ({printable(', '.join(foreign))}). This "
            "app takes none from there: they may be a stranger's. Start it with `url-viz`, or from another folder."
        )
    for path in left_out():
        print(
            f"{printable(str(path))} is not read. If it is yours, see docs/reliability.md, “Settings”.", file=sys.stderr
        )


def left_out() -> list[Path]:
    """The files of settings and secrets in the working folder that are not read."""
    read = {*settings_files(CONFIG), *st.get_option("secrets.files")}
    here = [Path.cwd() / ".streamlit" / name for name in (CONFIG, SECRETS)]
    return [path for path in here if path.exists() and str(path) not in read]


if __name__ == "__main__":
    main()
