"""The pretraining pipeline: embedding caches, training of uncertainty heads, evaluation, finetuning."""
