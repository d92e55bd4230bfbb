"""Labels: what they are, between which classes a picture lies, and which labels are doubtful."""
