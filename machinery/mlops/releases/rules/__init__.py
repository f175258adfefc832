"""The promotion rules, P101 to P132: each with its id, sentence, remedy and check in one place."""
