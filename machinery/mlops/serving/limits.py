"""What a request may take of a service: time, bytes, a place among those that wait."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Refusal(Exception):
    """A request is not answered with scores: the reason for metrics, the rest for the client."""

    def __init__(self, reason: str, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.reason, self.status, self.content = reason, status, {"error": text}
        self.headers = [
            (name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()
        ]


@dataclass
class Room:
    """How much there is in one process for all requests together."""

    max_waiting: int
    max_wait_seconds: float
    batch_rows: int
    max_held_bytes: int
    max_connections: int
    arrive_seconds: float
    held: int = field(default=0, init=False)

    async def read(self, scope: Message, receive: Receive, most: int) -> bytes:
        """Return the body of a request; raises Refusal for one too large, too slow or given up."""
        parts, size, more = [], 0, True
        try:
            while more:
                message = await receive()
                part, more = _part(scope, message), message.get("more_body", False)
                parts.append(part)
                size += len(part)
                self.held += len(part)
                if size > most:
                    raise _too_large(most)
                if self.held > self.max_held_bytes:
                    raise overload()
        finally:
            self.held -= size
        return b"".join(parts)


def require_json(headers: Iterable[tuple[bytes, bytes]], most: int) -> None:
    """Raise Refusal for headers that announce something else than so many bytes of JSON."""
    for name, value in headers:
        if name == b"content-length" and int(value) > most:
            raise _too_large(most)
        if name == b"content-encoding":
            raise _media("compressed")
        if name == b"content-type":
            media = value.partition(b";")[0].strip().lower()
            if media != b"application/json":
                raise _media(media.decode("latin-1"))


def _part(scope: Message, message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        # Ended by the service itself, the connection has said why.
        ended = Refusal("hung_up", 400, "The connection ended before the body did.")
        raise scope.get("refusal", ended)
    return message.get("body", b"")


def _media(found: str) -> Refusal:
    text = f"Send the body as plain application/json, not as {found}."
    return Refusal("media_type", 415, text)


def _too_large(most: int) -> Refusal:
    return Refusal("too_large", 413, f"The body is over {most:,} bytes. Send fewer rows.")


def crowded() -> Refusal:
    """Return the refusal of one connection too many."""
    return Refusal("overload", 503, "Too many connections.", retry_after="1")


def overload() -> Refusal:
    """Return the refusal of one request too many."""
    return Refusal("overload", 503, "Too many requests at once. Try again.", retry_after="1")
