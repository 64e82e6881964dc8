"""Fuzz one target, led by coverage: ``python -m tests.fuzz.run TARGET [options of libFuzzer]``.

``make fuzz`` runs all, ``SECONDS`` each. An input that breaks a target is left in ``.fuzz``: put it
into ``tests/fuzz/corpus/TARGET`` together with the mend, so that it stays tested.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["codex_api"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Hand over to libFuzzer, which does not return."""
    name, *options = sys.argv[1:]
    # The second folder is only read: what is found goes into the first, which nobody keeps.
    arguments = [sys.argv[0], "-max_len=4096", "-timeout=10", *options, str(CORPUS / name)]
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
