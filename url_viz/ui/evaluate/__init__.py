"""The Evaluate page: how well each measure orders a labelled image set."""
