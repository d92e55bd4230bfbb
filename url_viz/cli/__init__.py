"""Commands of `python -m url_viz`, one module a topic; `cli.py` lists them."""
