"""Ask questions with known answers, some at a time, and tell the score.

`python evaluation.py questions.jsonl`, where each line is {"question": ..., "answer": ...}.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from codex_api import ApiKeyAuth, AsyncClient, Provider, ResponsesApiRequest, errors

MODEL = "gpt-5.1-codex"
AT_ONCE = 8


async def is_right(client: AsyncClient, row: dict[str, str]) -> bool | errors.CodexApiError:
    """Ask one question; an error is a result, too, and no wrong answer."""
    request = ResponsesApiRequest(model=MODEL, input=row["question"])
    try:
        response = await client.responses.stream(request).collect()
    except errors.CodexApiError as error:
        return error
    return row["answer"].casefold() in response.text.casefold()


async def main(rows: list[dict[str, str]]) -> int:
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(client: AsyncClient, row: dict[str, str]) -> bool | errors.CodexApiError:
        async with gate:
            return await is_right(client, row)

    began = time.monotonic()
    async with AsyncClient(Provider.load("openai"), auth=ApiKeyAuth.from_env()) as client:
        results = await asyncio.gather(*(ask(client, row) for row in rows))
    failed = [each for each in results if isinstance(each, errors.CodexApiError)]
    for row, result in zip(rows, results, strict=True):
        mark = {True: "right", False: "WRONG"}.get(result, f"failed ({type(result).__name__})")
        print(f"{mark:<8} {row['question']}")
    right = sum(result is True for result in results)
    asked = len(rows) - len(failed)
    print(f"{right} of {asked} right, {len(failed)} failed, {time.monotonic() - began:.1f} s")
    return 0 if right == len(rows) else 1


if __name__ == "__main__":
    lines = Path(sys.argv[1]).read_text().splitlines()
    sys.exit(asyncio.run(main([json.loads(line) for line in lines if line])))
