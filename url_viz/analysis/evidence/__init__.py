"""How good an order, a choice or a correction is, with intervals."""
