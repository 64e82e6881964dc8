from __future__ import annotations

import pytest

from codex_api.bulk import budget


@pytest.fixture
def quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run begin at a high pace where no limit is told.

    How it finds its pace is tested with the budget; elsewhere it would only be waited for.
    """
    monkeypatch.setattr(budget, "_START_PACE", 1000.0)
