"""Limits on what a request may take of a worker: time, memory, a place in the queue."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class RequestRejected(Exception):
    """A request gets no scores: `reason` is a label of the metrics, the rest is the answer."""

    def __init__(self, reason: str, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.reason, self.status, self.content = reason, status, {"error": text}
        self.headers = [
            (name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()
        ]


@dataclass
class Capacity:
    """The limits of one worker, and the memory that its requests use now."""

    max_waiting: int
    max_wait_seconds: float
    batch_rows: int
    max_held_bytes: int
    max_connections: int
    arrive_seconds: float
    bytes_held: int = field(default=0, init=False)

    async def read_body(self, scope: Message, receive: Receive, max_bytes: int) -> bytes:
        """Return a request's body; raises RequestRejected if it is too large, slow or aborted."""
        parts, size, more = [], 0, True
        try:
            while more:
                message = await receive()
                part, more = _part(scope, message), message.get("more_body", False)
                parts.append(part)
                size += len(part)
                self.bytes_held += len(part)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                if self.bytes_held > self.max_held_bytes:
                    raise overload()
        finally:
            self.bytes_held -= size
        return b"".join(parts)


def require_json(headers: Iterable[tuple[bytes, bytes]], max_bytes: int) -> None:
    """Raise RequestRejected unless the headers announce plain JSON of at most so many bytes."""
    for name, value in headers:
        if name == b"content-length" and int(value) > max_bytes:
            raise _too_large(max_bytes)
        if name == b"content-encoding":
            raise _wrong_media_type("compressed")
        if name == b"content-type":
            media_type = value.partition(b";")[0].strip().lower()
            if media_type != b"application/json":
                raise _wrong_media_type(media_type.decode("latin-1"))


def _part(scope: Message, message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        # If the service itself ended the connection, the scope holds the reason.
        hung_up = RequestRejected("hung_up", 400, "The connection ended before the body did.")
        raise scope.get("rejection", hung_up)
    return message.get("body", b"")


def _wrong_media_type(media_type: str) -> RequestRejected:
    text = f"Send the body as plain application/json, not as {media_type}."
    return RequestRejected("media_type", 415, text)


def _too_large(max_bytes: int) -> RequestRejected:
    text = f"The body is over {max_bytes:,} bytes. Send fewer rows."
    return RequestRejected("too_large", 413, text)


def too_many_connections() -> RequestRejected:
    """Return the rejection of a connection beyond the limit."""
    return RequestRejected("overload", 503, "Too many connections.", retry_after="1")


def overload() -> RequestRejected:
    """Return the rejection of a request beyond the limits of the queue."""
    return RequestRejected(
        "overload", 503, "Too many requests at once. Try again.", retry_after="1"
    )
