"""Evidence: how well orders hold, and what decisions were worth."""
