"""The pretraining pipeline: cache frozen embeddings, train a head on their task losses, evaluate and finetune it."""
