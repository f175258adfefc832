"""What runs in production: every bundle carries this folder, so it imports little."""
