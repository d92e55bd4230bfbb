"""Pictures to train and evaluate on: folders, named sets, and where free pictures come from."""
