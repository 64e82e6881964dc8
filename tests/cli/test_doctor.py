from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import pytest

from codex_api.cli import main
from codex_api.testing import EmbeddedServer, scenarios
from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer
from tests.transport.tls_peers import connect_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "sk-s3cret"  # noqa: S105 - that is the point


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


def examine(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, str]]:
    code = main(["doctor", "--json", *options])
    findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return code, {one["subject"]: f"{one['verdict']}: {one['text']}" for one in findings}


def test_a_healthy_server_is_ok_all_over(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    code, found = examine(capsys, "--base-url", server.url)

    assert code == 0
    assert found == {
        "settings": "ok: provider: built in; base_url: --base-url; key: environment OPENAI_API_KEY",
        "base URL": f"ok: {server.url} (OpenAI, port {server.port})",
        "credentials": "ok: ApiKeyAuth, in the header authorization",
        "TLS": "ok: the system's roots",
        "proxy": "ok: none",
        "HTTP": "ok: the server lists 3 models",
        "WebSocket": "ok: status 101; tells models etag",
    }


def test_a_line_a_finding_with_its_time_and_no_secret(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    base_url = server.url.replace("//", f"//user:{SECRET}@")
    main(["doctor", "--base-url", base_url, "--header", f"x-key: {SECRET}"])
    out, err = capsys.readouterr()

    assert re.search(r"^HTTP         ok      .*\(\d+ ms\)$", out, re.MULTILINE)
    assert SECRET not in out + err


def test_a_server_without_websocket_is_no_failure(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.play(scenarios.upgrade_required(), endpoint="websocket")
    code, found = examine(capsys, "--base-url", server.url)

    assert code == 0
    assert found["WebSocket"].startswith("note: not available: unexpected status 426")


def test_refused_credentials_are_told_by_the_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    refusal = answer(401, {"error": {"message": "no"}})
    with ScriptedServer(answers=[refusal], repeat_last=True) as peer:
        code, found = examine(capsys, "--base-url", peer.url)

    assert code == 3
    assert found["HTTP"].startswith("failed: the credentials were refused")


def test_a_bad_bundle_stops_the_examination(
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate")
    monkeypatch.setenv("CODEX_CA_CERTIFICATE", str(bundle))
    code, found = examine(capsys, "--base-url", server.url)

    assert code == 2
    assert found["TLS"].startswith("failed: the CA bundle")
    assert "HTTP" not in found
    assert server.requests == []


def test_a_proxy_is_told_without_its_password(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect_proxy() as (port, _):
        monkeypatch.setenv("HTTP_PROXY", f"http://me:{SECRET}@127.0.0.1:{port}")
        _, found = examine(capsys, "--base-url", server.url)

    assert found["proxy"] == f"ok: http://127.0.0.1:{port}"


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
def test_a_dead_proxy_is_a_finding_of_its_own(
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    closed_port: int,
    scheme: str,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"{scheme}://me:{SECRET}@127.0.0.1:{closed_port}")
    code, found = examine(capsys, "--base-url", server.url)

    assert code == 5
    named = f"failed: the proxy {scheme}://***@127.0.0.1:{closed_port} could not be connected to"
    assert found["proxy"].startswith(named)
    assert "start it, or change HTTPS_PROXY" in found["proxy"]
    assert "HTTP" not in found
    assert server.requests == []


def test_a_dead_server_is_told_from_a_dead_proxy(
    capsys: pytest.CaptureFixture[str], closed_port: int
) -> None:
    code, found = examine(capsys, "--base-url", f"http://127.0.0.1:{closed_port}/v1")

    assert code == 5
    assert found["proxy"] == "ok: none"
    assert found["HTTP"].startswith(f"failed: the server 127.0.0.1:{closed_port} could not")
    assert found["HTTP"].endswith("check the base URL, and whether the server runs")


@pytest.mark.parametrize(
    ("base_url", "why"),
    [
        ("not-a-url", "must be absolute"),
        ("http://127.0.0.1:99999/v1", "Port out of range"),
        ("http://[::1/v1", "Invalid IPv6 URL"),
    ],
)
def test_a_base_url_that_is_none_is_the_finding(
    capsys: pytest.CaptureFixture[str], base_url: str, why: str
) -> None:
    code, found = examine(capsys, "--base-url", base_url)

    assert code == 2
    assert list(found) == ["settings", "base URL"]
    assert found["base URL"].startswith("failed: ")
    assert why in found["base URL"]


def test_each_setting_is_told_with_the_line_it_came_from(
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("WORK_KEY", SECRET)
    file = tmp_path / "codex-api" / "config.toml"
    file.parent.mkdir()
    file.write_text(
        f'provider = "work"\n[providers.work]\nbase_url = "{server.url}"\nenv_key = "WORK_KEY"\n'
    )

    code, found = examine(capsys)

    assert code == 0
    assert found["settings"] == (
        f"ok: provider: {file}, line 2; base_url: {file}, line 3; env_key: {file}, line 4; "
        "key: environment WORK_KEY"
    )
    assert found["credentials"] == "ok: ApiKeyAuth, in the header authorization"
