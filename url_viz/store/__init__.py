"""Storage of image sets: tables in LanceDB, decisions in SQLite, user columns in Parquet; checked when read."""
