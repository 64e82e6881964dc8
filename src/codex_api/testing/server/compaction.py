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
from codex_api.testing.server.results import told_back, trailing_results
from codex_api.testing.server.schema_instances import gist
from codex_api.testing.wire import compact_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codex_api.testing.wire import JsonObject

PREFIX = "cxc1-"
_SILENT_ROLES = frozenset({"developer", "system"})
_SILENT_TYPES = frozenset({"compaction_trigger", "reasoning", "additional_tools"})
COMPACTION_TYPES = frozenset({"compaction", "compaction_summary", "context_compaction"})


@dataclass(frozen=True, slots=True)
class Memory:
    """What is left of a compacted conversation.

    Attributes:
        items: How many items it had, earlier compactions included.
        user_texts: The beginnings of its user messages.
        outcome: What came of the last of them, told in words; None where nothing has, so that it
            is still to be answered.
    """

    items: int
    user_texts: list[str]
    outcome: str | None = None


def seal(items: Iterable[JsonObject]) -> str:
    """Compact a conversation into one string."""
    items = list(items)
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
    data = compact_json(asdict(Memory(count, texts, outcome(items) or _last_answer(items))))
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(data, 9)).decode()


def outcome(items: Iterable[JsonObject]) -> str | None:
    """Tell what came of the last user message: results at the end, or what a memory there says.

    None where it is still to be answered, or there is none.
    """
    said = _said(items)
    if results := trailing_results(said):
        return told_back(results, said)
    last = said[-1] if said else {}
    if item_type(last) in COMPACTION_TYPES and last.get("encrypted_content"):
        return unseal(last["encrypted_content"]).outcome
    return None


def _said(items: Iterable[JsonObject]) -> list[JsonObject]:
    """Leave out what clients put between the items of a conversation."""
    said = [item for item in items if item.get("role") not in _SILENT_ROLES]
    return [item for item in said if item_type(item) not in _SILENT_TYPES]


def _last_answer(items: list[JsonObject]) -> str | None:
    said = _said(items)
    is_answered = said and said[-1].get("role") == "assistant"
    return gist(item_text(said[-1]), 40) if is_answered else None


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
