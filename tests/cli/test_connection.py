from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import errors
from codex_api.cli.connection import Connection
from codex_api.local.codex_files import auth_from_file
from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without anybody's credentials."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    return tmp_path


def sent_by(connection: Connection) -> tuple[str, Headers]:
    """Give the base URL and the headers with which requests go out."""
    with connection.endpoint() as end:
        headers = Headers(end.provider.headers)
        end.auth.add_auth_headers(headers)
        return end.provider.base_url, headers


def write_auth(home: Path, content: Any) -> None:
    (home / "auth.json").write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "CODEX_API_KEY"])
def test_a_key_in_the_environment_means_openai(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "sk-1")
    base_url, headers = sent_by(Connection())

    assert base_url == "https://api.openai.com/v1"
    assert headers["authorization"] == "Bearer sk-1"


def test_the_base_url_of_the_environment_is_where_the_key_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_BASE_URL", " http://localhost:1/v1 ")

    base_url, headers = sent_by(Connection())

    assert (base_url, headers["authorization"]) == ("http://localhost:1/v1", "Bearer sk-1")


def test_an_option_stands_over_the_base_url_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")

    assert sent_by(Connection())[0] == "http://localhost:1/v1"
    assert "authorization" not in sent_by(Connection())[1]
    assert sent_by(Connection(base_url="http://localhost:2"))[0] == "http://localhost:2"


def test_stored_credentials_mean_chatgpt(home: Path) -> None:
    write_auth(home, {"tokens": {"access_token": "t", "account_id": "acc", "id_token": "x"}})
    base_url, headers = sent_by(Connection())

    assert base_url == "https://chatgpt.com/backend-api/codex"
    assert headers["authorization"] == "Bearer t"
    assert headers["chatgpt-account-id"] == "acc"


def test_nothing_to_go_by_names_every_provider() -> None:
    with pytest.raises(errors.AuthBuildError) as caught:
        sent_by(Connection())

    for name in ("openai", "chatgpt", "azure", "ollama", "lmstudio", "embedded"):
        assert name in str(caught.value)


def test_another_server_needs_no_key() -> None:
    base_url, headers = sent_by(Connection(base_url="http://localhost:1/v1"))

    assert base_url == "http://localhost:1/v1"
    assert "authorization" not in headers


def test_a_key_goes_to_another_server_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")

    assert sent_by(Connection(base_url="http://h/v1"))[1]["authorization"] == "Bearer sk-1"


def test_azure_has_its_own_key_and_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az")
    where = Connection(provider="azure", base_url="https://r.openai.azure.com/openai")

    assert sent_by(where)[1]["api-key"] == "az"


@pytest.mark.parametrize(
    ("connection", "error", "text"),
    [
        (Connection(provider="azure"), errors.RequestBuildError, "--base-url"),
        (
            Connection(provider="azure", base_url="https://r"),
            errors.AuthBuildError,
            "AZURE_OPENAI_API_KEY",
        ),
        (Connection(provider="openai"), errors.AuthBuildError, "OPENAI_API_KEY"),
        (Connection(provider="chatgpt"), errors.AuthBuildError, "auth.json"),
        (Connection("ollama", timeout=0.0), errors.RequestBuildError, "--timeout"),
        (Connection("ollama", header=("nonsense",)), errors.RequestBuildError, "--header"),
    ],
)
def test_what_is_missing_is_named(
    connection: Connection, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        sent_by(connection)


@pytest.mark.parametrize(("name", "port"), [("ollama", 11434), ("lmstudio", 1234)])
def test_local_servers_need_no_key(name: Any, port: int) -> None:
    base_url, headers = sent_by(Connection(provider=name))

    assert base_url == f"http://localhost:{port}/v1"
    assert "authorization" not in headers


def test_headers_are_added() -> None:
    where = Connection("ollama", header=("X-One: 1", "x-two:a:b"))
    _, headers = sent_by(where)

    assert (headers["x-one"], headers["x-two"]) == ("1", "a:b")


def test_the_limit_is_one_on_the_whole_call() -> None:
    with Connection("ollama", timeout=3.0).endpoint() as end:
        assert end.timeouts.total == 3.0


def test_a_stored_key_is_a_key(home: Path) -> None:
    write_auth(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-2"})
    headers = Headers()
    auth_from_file(home / "auth.json").add_auth_headers(headers)

    assert headers["authorization"] == "Bearer sk-2"


@pytest.mark.parametrize("content", ["{", "{}", '{"tokens": {"access_token": 7}}', "[]"])
def test_a_bad_credentials_file_is_named_without_its_content(home: Path, content: str) -> None:
    write_auth(home, content)

    with pytest.raises(errors.AuthBuildError, match=r"auth\.json") as caught:
        auth_from_file(home / "auth.json")
    assert "access_token" not in str(caught.value)
