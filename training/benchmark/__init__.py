"""Benchmark of orders: how well each ranks the pictures of labelled sets, next to baselines, ceilings and people.

An order is good if pictures that go wrong stand high in it (AUROC, .5 is chance). Three outcomes count as wrong. *N*:
the nearest picture in the whitened space that is no twin has another class. *P*: a linear probe of another backbone
calls the picture wrong. *The paper's*: N by raw cosine, twins among the neighbours. docs/benchmark.md has the
options and how to read the figures, docs/order.md what was measured.
"""
