"""Send the lines of a file as questions, at the rate limit of the account.

`python bulk.py questions.txt answers.jsonl`. Interrupt it, or kill it: the same command goes on
where it ended. `codex-api bulk` is the same for files of the Batch API.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from codex_api import ApiKeyAuth, AsyncClient, Network, Provider, ResponsesApiRequest, bulk


def requests(path: str) -> Iterator[tuple[str, ResponsesApiRequest]]:
    with Path(path).open() as lines:
        for number, line in enumerate(lines, start=1):
            request = ResponsesApiRequest.public(
                model="gpt-5.1", input=line.strip(), max_output_tokens=200
            )
            yield f"line-{number}", request


async def main(source: str, target: str) -> int:
    network = Network(max_idle_connections=500)
    async with AsyncClient(
        Provider.load("openai"), auth=ApiKeyAuth.from_env(), network=network
    ) as client:
        run = bulk.run(
            client,
            requests(source),
            journal=bulk.Journal(target),
            settings=bulk.BulkSettings(max_errors=0.05),
        )
        try:
            with bulk.stop_on_signals(run):
                async for result in run:
                    print(result.custom_id, result.text or f"FAILED: {result.error}")
        except bulk.BulkStoppedError as error:
            print(f"stopped: {error}", file=sys.stderr)
    print(run.summary, file=sys.stderr)
    return 1 if run.summary.failed or run.summary.stopped else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
