"""What an event stream means, written for reading: all input at once, no state between bytes.

It follows the WHATWG text step by step and shares no code with the decoder that it judges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class SSEModel:
    """The outcome of reading one complete stream."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    last_event_id: str = ""
    retry_ms: int | None = None


def read_stream(stream: bytes) -> SSEModel:
    outcome = SSEModel()
    text = stream.decode("utf-8", errors="replace")
    text = text.removeprefix("\ufeff")
    lines = re.split("\r\n|\n|\r", text)
    data, event_type, event_id = "", "", ""
    # What follows the last line ending is no line yet.
    for line in lines[:-1]:
        if line == "":
            outcome.last_event_id = event_id
            if data != "":
                outcome.events.append((event_type or "message", data[:-1], event_id))
            data, event_type = "", ""
            continue
        if ":" in line:
            name, value = line.split(":", 1)
            value = value.removeprefix(" ")
        else:
            name, value = line, ""
        if name == "event":
            event_type = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            event_id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value) and len(value.lstrip("0")) <= 18:
            outcome.retry_ms = int(value)
    return outcome
