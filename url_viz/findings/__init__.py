"""Findings: what to look at first in an image set, why pictures are ambiguous, and the gate that judges it."""
