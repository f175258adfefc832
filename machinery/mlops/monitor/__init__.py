"""What an environment's service saw, compared with what its model was trained on."""
