"""Whether a label is right, and which two classes a picture lies between."""
