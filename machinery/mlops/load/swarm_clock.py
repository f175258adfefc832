"""Loaded by Locust beside the team's locustfile, so that the run time starts with the test.

gevent caches the time from before the import of the locustfile. Without this file the import would
count as run time; a slow import would leave no time for the test.
"""

import gevent
from locust import events


@events.init.add_listener
def set_clock(**_: object) -> None:
    """Update gevent's clock, just before Locust sets its timer."""
    gevent.get_hub().loop.update_now()
