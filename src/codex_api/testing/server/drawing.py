"""Pictures: a square in a colour on a ground in another, both taken from the prompt."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from codex_api.testing.server.png import picture
from codex_api.testing.server.problems import invalid_value

if TYPE_CHECKING:
    from codex_api.testing.server.png import Colour

DEFAULT_SIZE = (1024, 1024)
MAX_SIDE = 4096
MAX_PARTIAL = 3

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})\Z")


def drawn(
    prompt: str, size: tuple[int, int], number: int = 0, *, is_transparent: bool = False
) -> str:
    """Draw picture ``number`` of a prompt, and return its PNG in base64."""
    ground = None if is_transparent else _colour(prompt, f"ground {number}")
    data = picture(*size, ground, _colour(prompt, f"figure {number}"))
    return base64.b64encode(data).decode()


def partly_drawn(prompt: str, size: tuple[int, int], partial: int) -> str:
    """Draw what is there before the picture is: its figure, on another ground each time."""
    ground = _colour(prompt, f"partial {partial}")
    return base64.b64encode(picture(*size, ground, _colour(prompt, "figure 0"))).decode()


def wanted_size(size: str | None, default: tuple[int, int] = DEFAULT_SIZE) -> tuple[int, int]:
    """Read a size.

    Raises:
        RequestProblem: It is none, or too large.
    """
    if size in {None, "auto"}:
        return default
    found = _SIZE.match(str(size))
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(1 <= side <= MAX_SIDE for side in sides):
        param, message = "size", f"'{size}' is neither 'auto' nor WIDTHxHEIGHT up to {MAX_SIDE}."
        raise invalid_value(param, message)
    return sides


def _colour(prompt: str, salt: str) -> Colour:
    red, green, blue = hashlib.sha256(f"{salt} {prompt}".encode()).digest()[:3]
    return red, green, blue
