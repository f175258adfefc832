"""What is measured about scores and rows; no I/O."""
