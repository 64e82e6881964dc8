from __future__ import annotations

import msgspec
import pytest

from codex_api.transport.errors import RequestBuildError
from codex_api.types.reasoning import Reasoning


def test_unset_controls_are_left_out() -> None:
    assert msgspec.json.encode(Reasoning()) == b"{}"
    assert msgspec.json.encode(Reasoning(summary="auto")) == b'{"summary":"auto"}'


@pytest.mark.parametrize("effort", ["none", "xhigh", "max", "a word from tomorrow"])
def test_any_effort_goes_out_verbatim(effort: str) -> None:
    assert msgspec.json.encode(Reasoning(effort)) == msgspec.json.encode({"effort": effort})


@pytest.mark.parametrize("field", ["effort", "summary", "context"])
def test_an_empty_control_is_refused_by_name(field: str) -> None:
    with pytest.raises(RequestBuildError, match=rf"reasoning\.{field} must not be empty"):
        Reasoning(**{field: ""})
    with pytest.raises(msgspec.ValidationError, match=f"{field} must not be empty"):
        msgspec.convert({field: ""}, Reasoning)
