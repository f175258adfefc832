"""What the repository should be on GitHub, and what would have to change there."""
