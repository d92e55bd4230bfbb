"""Benchmarks: every figure of docs/performance.md is printed by a script here; `make bench` runs them all."""
