"""Commands of `url-viz` and `url-viz`, one module per topic; `main.py` imports them.

Each command imports what it runs inside its function, so that `--help` is answered without LanceDB or a model.
"""
