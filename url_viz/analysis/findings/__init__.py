"""Findings on an image set, and the gate that judges it by them."""
