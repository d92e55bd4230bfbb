"""Studies behind defaults: each is a script with a frozen configuration, and leaves its figures as JSON beside it."""
