"""What leaves the app: folders, lists and files for other people and programs."""
