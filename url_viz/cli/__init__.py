"""Commands of `python -m url_viz` and `url-viz`, one module a topic; `main.py` lists them.

Each command imports what it runs inside its function, so that `--help` is answered without LanceDB or a model.
"""
