"""GitHub: its API, pull requests and runs, and the settings of the repository."""
