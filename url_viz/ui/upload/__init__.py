"""The Check new pictures page: files judged in memory, and sorted by a measure."""
