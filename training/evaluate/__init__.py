"""How well a head orders labelled pictures: `python -m training.evaluate`."""
