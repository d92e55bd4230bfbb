"""Entry point of the command line: `python -m url_viz …`, and `url-viz`, which opens the app if no command is given."""

import sys

from url_viz.base.processes import become_app, search_rarely

ABOUT = (
    "With a folder (or what else holds pictures) in place of a command: read it, and open the browser there (`open`). "
    "Without: open the app in the browser. Options that come first are Streamlit's then, such as "
    "--server.port=8502 (`streamlit run --help` lists them)."
)


def url_viz() -> int:
    """What the installed command `url-viz` does."""
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and not arguments[0].startswith(("-h", "--help", "--tyro-"))):
        become_app(arguments)
    return _run(prog="url-viz", description=ABOUT)


def _run(*, prog: str, description: str | None = None) -> int:
    """Run the command that the arguments name."""
    search_rarely()
    from url_viz.cli.main import main  # large, and the app's server begins without it

    return main(prog=prog, description=description)


if __name__ == "__main__":
    sys.exit(_run(prog="python -m url_viz"))
