"""Answers computed from arrays: metrics, confusability, ranking, safe retrieval, baselines."""
