"""GitHub: its API, pull requests and runs, and the repository as .github/settings/ wants it."""
