"""Development tools of the project, not in the package."""
