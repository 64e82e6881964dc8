"""What a compaction item holds, sealed so that only this server reads it and damage is noticed."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from codex_api.testing.server.items import item_text, item_type
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.schema_instances import gist
from codex_api.testing.wire import compact_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codex_api.testing.wire import JsonObject

PREFIX = "cxc1-"
COMPACTION_TYPES = frozenset({"compaction", "compaction_summary", "context_compaction"})


@dataclass(frozen=True, slots=True)
class Memory:
    """What is left of a compacted conversation.

    Attributes:
        items: How many items it had, earlier compactions included.
        user_texts: The beginnings of its user messages.
    """

    items: int
    user_texts: list[str]


def seal(items: Iterable[JsonObject]) -> str:
    """Compact a conversation into one string."""
    count, texts = 0, list[str]()
    for item in items:
        kind = item_type(item)
        if kind in COMPACTION_TYPES and item.get("encrypted_content"):
            earlier = unseal(item["encrypted_content"])
            count += earlier.items
            texts += [text for text in earlier.user_texts if text not in texts]
        elif kind != "compaction_trigger":
            count += 1
            if kind == "message" and item.get("role") == "user":
                text = gist(item_text(item), 24)
                texts += [] if text in texts else [text]
    data = compact_json(asdict(Memory(count, texts)))
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(data, 9)).decode()


def unseal(content: str) -> Memory:
    """Read back what `seal` made.

    Raises:
        RequestProblem: It is damaged, or from elsewhere.
    """
    try:
        data = base64.urlsafe_b64decode(content.removeprefix(PREFIX).encode())
        memory = Memory(**json.loads(zlib.decompress(data)))
    except (binascii.Error, zlib.error, ValueError, TypeError) as exc:
        message = "The encrypted content of the compaction item could not be verified."
        raise RequestProblem(400, message, "invalid_encrypted_content", "input") from exc
    return memory


def memories(items: Iterable[JsonObject]) -> list[Memory]:
    """Read all compaction items of a conversation."""
    return [
        unseal(item["encrypted_content"])
        for item in items
        if item_type(item) in COMPACTION_TYPES and item.get("encrypted_content")
    ]
