"""The load test: Locust, and what is made of its counts."""
