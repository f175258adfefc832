"""The load test: runs Locust and judges its counts."""
