"""What needs an extra says which one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codex_api._imports import installed_by


@pytest.mark.parametrize(
    ("module", "extra", "package"),
    [
        ("codex_api.otel", "otel", "opentelemetry"),
        ("codex_api.transport.httpx", "httpx2", "httpx2"),
        ("codex_api.voice.webrtc", "webrtc", "aiortc"),
        ("codex_api.testing.server", "server", "starlette"),
        ("codex_api.testing.server", "server", "uvicorn"),
    ],
)
def test_a_missing_package_names_its_extra(module: str, extra: str, package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; import {module}"

    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert done.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: {package} is missing: pip install 'codex-api[{extra}]'"
    )


def test_another_missing_module_is_left_as_it_is() -> None:
    with (
        pytest.raises(ModuleNotFoundError, match="nowhere is not here"),
        installed_by("server", "starlette"),
    ):
        raise ModuleNotFoundError("nowhere is not here", name="nowhere")
