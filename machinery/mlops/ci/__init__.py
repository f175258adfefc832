"""What a pull request is answered with, here and in Actions."""
