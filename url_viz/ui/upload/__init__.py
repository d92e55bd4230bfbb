"""The New pictures page: files judged in memory, and sorted by a measure."""
