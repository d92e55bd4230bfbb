"""The pretraining pipeline: embedding caches, training of uncertainty heads, evaluation, finetuning."""

import sys

from url_viz.garbage import search_rarely

if sys.argv[:1] == ["-m"]:  # as Python has it while it looks for the module of `python -m training…`
    search_rarely()
