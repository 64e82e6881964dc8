"""Draw an image, then change it: `python images.py 'a red square' 'make it blue' out.png`."""

import sys
from pathlib import Path

from codex_api import ApiKeyAuth, Client, Provider, errors


def main(prompt: str, change: str, path: str) -> int:
    first = Path(path).with_stem(f"{Path(path).stem}-first")
    with Client(Provider.load("openai"), auth=ApiKeyAuth.from_env()) as client:
        try:
            client.images.generate(prompt, size="64x64").save(first)
            client.images.edit([first], change).save(path)
        except errors.InvalidRequestError as error:
            print(f"the server does not draw that: {error}", file=sys.stderr)
            return 1
    for each in (first, Path(path)):
        print(f"{each}: {each.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
