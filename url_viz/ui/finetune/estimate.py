"""What a run of training costs in time and disk on two CPU cores, roughly and in words."""

SECONDS_PER_VIEW = 1 / 90
"""To read, augment and embed one view on two CPU cores; an estimate."""
SECONDS_PER_TRAINED = 1 / 10
"""To train the backbone on one picture, once, on two CPU cores; an estimate."""
SECONDS_PER_ROW = 1 / 60_000
"""To train a head on one stored view, once; an estimate."""
BYTES_PER_VIEW = 2 * 1280 + 16
START_S = 15


def cost_in_words(pictures: int, *, views: int, training_s: float) -> str:
    """What reading so many views of `pictures` costs, with the seconds of what is trained on them."""
    seconds = START_S + views * SECONDS_PER_VIEW + training_s
    minutes = "under a minute" if seconds < 55 else f"about {max(1, round(seconds / 60))} min"
    return f"{pictures:,} pictures · {minutes} on two CPU cores · {megabytes(views)} MB on disk"


def megabytes(views: int) -> int:
    """The disk that so many stored views take."""
    return max(1, round(views * BYTES_PER_VIEW / 2**20))
