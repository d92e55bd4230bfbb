"""What people are asked about pictures, and in which order."""
