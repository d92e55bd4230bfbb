"""The Check labels page: doubtful labels, and classes that overlap."""
