"""Read by Locust beside the team's locustfile, so that the time of a test begins with the test.

gevent keeps the time of its last turn, which is from before the locustfile was imported: without
this, `--run-time` is shorter by what the import took, to the point that nothing is tested.
"""

import gevent
from locust import events


@events.init.add_listener
def set_clock(**_: object) -> None:
    """Have gevent look at the clock, just before Locust sets its timer."""
    gevent.get_hub().loop.update_now()
