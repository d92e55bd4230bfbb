"""What is kept of an image set: tables in LanceDB, decisions in SQLite, what a user brings; checked when read."""
