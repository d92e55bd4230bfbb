"""Training of a backbone together with a classifier and a head: `training.finetune --mode full`."""
