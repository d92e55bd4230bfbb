"""The ground that everything stands on and that knows nothing of pictures: errors, files, records, words, processes."""
