"""The pretraining pipeline: embedding caches, training of uncertainty heads, evaluation, finetuning."""

import url_viz.base.processes  # noqa: F401  # before torch: with it, url_viz has commands search for reference cycles rarely
