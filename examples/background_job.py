"""A long piece of work that the server does without a connection.

`python background_job.py job.json 'Count to 500.'` begins it and prints what comes. Interrupt it,
and `python background_job.py job.json` prints the rest; nothing is made or paid twice.
"""

import sys
from pathlib import Path

import msgspec

from codex_api import ApiKeyAuth, Client, Provider, ResponsesApiRequest, events
from codex_api.types.background import BackgroundHandle


def remember(work, file: Path) -> None:
    """Write down where we are, in one step: a half-written file could not be read."""
    part = file.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(work.handle))
    part.replace(file)


def main(path: str, *words: str) -> int:
    file = Path(path)
    with Client(Provider.load("openai"), auth=ApiKeyAuth.from_env()) as client:
        if words:
            request = ResponsesApiRequest.public(model="gpt-5.1", input=" ".join(words))
            work = client.responses.background(request)
        else:
            handle = msgspec.json.decode(file.read_bytes(), type=BackgroundHandle)
            work = client.responses.reopen(handle)
        remember(work, file)
        with work.stream() as stream:
            for event in stream:
                if isinstance(event, events.OutputTextDelta):
                    print(event.delta, end="", flush=True)
                remember(work, file)
        response = work.wait()
    file.unlink()
    print(f"\n{response.status}: {response.usage}")
    return 0 if response.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
