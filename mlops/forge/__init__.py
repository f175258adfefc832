"""What is said to GitHub, and what is made of its answers."""
