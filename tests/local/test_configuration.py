from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_api import Configuration, Provider, RetryConfig, Timeouts, errors
from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home that has nothing in it yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    (tmp_path / "config" / "codex-api").mkdir(parents=True)
    (tmp_path / "codex").mkdir()
    return tmp_path


@pytest.fixture
def own(home: Path) -> Path:
    return home / "config" / "codex-api" / "config.toml"


@pytest.fixture
def codex(home: Path) -> Path:
    return home / "codex" / "config.toml"


def sent_by(found: Configuration) -> dict[str, str]:
    headers = Headers(found.provider.headers)
    found.auth().add_auth_headers(headers)
    return dict(headers.items())


FULL = """\
provider = "work"

[providers.work]
name = "Work"
base_url = "https://llm.example/v1"
env_key = "WORK_KEY"
key_header = "api-key"
stream_idle_timeout = 60
query_params = { team = "a" }
headers = { x-one = "1" }
env_headers = { x-two = "TWO", x-three = "THREE" }

[providers.work.retry]
max_attempts = 1
retry_429 = true

[providers.work.timeouts]
connect = 2.5
"""


def test_every_setting_of_our_file_is_used(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own.write_text(FULL)
    monkeypatch.setenv("WORK_KEY", "k")
    monkeypatch.setenv("TWO", "2")

    found = Configuration.load()

    assert found.id == "work"
    assert found.provider == Provider(
        "Work",
        "https://llm.example/v1",
        query_params={"team": "a"},
        headers={"x-one": "1", "x-two": "2"},
        retry=RetryConfig(max_attempts=1, retry_429=True),
        stream_idle_timeout=60,
    )
    assert found.timeouts == Timeouts(connect=2.5)
    assert sent_by(found) == {"x-one": "1", "x-two": "2", "api-key": "k"}
    assert found.sources["base_url"] == f"{own}, line 5"
    assert found.sources["retry"] == f"{own}, line 13"
    assert found.sources["key"] == "environment WORK_KEY"
    assert Provider.load() == found.provider


def test_without_a_file_the_default_is_openai() -> None:
    found = Configuration.load()

    assert (found.id, found.provider) == ("openai", Provider.openai())
    assert found.sources == {"provider": "built in", "base_url": "built in"}
    with pytest.raises(errors.AuthBuildError, match="OPENAI_API_KEY"):
        found.auth()


@pytest.mark.parametrize("name", ["openai", "chatgpt", "ollama", "lmstudio"])
def test_built_in_providers_need_no_file(name: str) -> None:
    makers = {
        "openai": Provider.openai,
        "chatgpt": Provider.chatgpt,
        "ollama": Provider.ollama,
        "lmstudio": Provider.lm_studio,
    }

    assert Provider.load(name) == makers[name]()


def test_a_table_of_a_built_in_name_changes_only_what_it_names(own: Path) -> None:
    own.write_text('[providers.openai]\nheaders = { x-team = "a" }\n')

    provider = Provider.load("openai")

    assert provider.base_url == Provider.openai().base_url
    assert provider.headers == {**Provider.openai().headers, "x-team": "a"}


def test_the_environment_moves_openai_over_the_file(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write_text('[providers.openai]\nbase_url = "https://file.example/v1"\n')
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")

    found = Configuration.load("openai")

    assert found.provider.base_url == "http://localhost:1/v1"
    assert found.sources["base_url"] == "environment OPENAI_BASE_URL"
    assert "authorization" not in sent_by(found)


def test_a_moved_local_server_says_which_variable_moved_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_OSS_PORT", "7")

    found = Configuration.load("ollama")

    assert found.provider.base_url == "http://localhost:7/v1"
    assert found.sources["base_url"] == "environment CODEX_OSS_PORT"


def test_azure_of_the_file_sends_its_own_key(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own.write_text('[providers.azure]\nbase_url = "https://r.openai.azure.com/openai"\n')
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az")

    found = Configuration.load("azure")

    assert found.provider.is_azure
    assert sent_by(found) == {"api-key": "az"}


CODEX = """\
model_provider = "gateway"
[model_providers.gateway]
name = "Gateway"
base_url = "https://gw.example/v1"
env_key = "GW_KEY"
env_key_instructions = "ask the platform team"
wire_api = "responses"
request_max_retries = 1000
stream_idle_timeout_ms = 1500
query_params = { v = "1" }
http_headers = { x-a = "1" }
env_http_headers = { x-b = "GW_B" }

[model_providers.inline]
base_url = "https://inline.example/v1"
experimental_bearer_token = "tok-secret"

[model_providers.login]
base_url = "https://login.example/v1"
requires_openai_auth = true

[model_providers.open]
base_url = "https://open.example/v1"

[model_providers.signed]
base_url = "https://aws.example/v1"
aws = { region = "r" }
"""


def test_providers_of_the_codex_cli_are_read(codex: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codex.write_text(CODEX)
    monkeypatch.setenv("GW_KEY", "g")
    monkeypatch.setenv("GW_B", "2")

    found = Configuration.load("gateway")

    assert found.provider == Provider(
        "Gateway",
        "https://gw.example/v1",
        query_params={"v": "1"},
        headers={"x-a": "1", "x-b": "2"},
        retry=RetryConfig(max_attempts=100),
        stream_idle_timeout=1.5,
    )
    assert sent_by(found) == {"x-a": "1", "x-b": "2", "authorization": "Bearer g"}
    assert found.sources["headers"] == f"{codex}, line 11"
    assert codex.read_text() == CODEX


def test_a_missing_key_is_told_with_the_instructions(codex: Path) -> None:
    codex.write_text(CODEX)

    with pytest.raises(errors.AuthBuildError, match=r"GW_KEY \(ask the platform team\)"):
        Configuration.load("gateway").auth()


def test_a_token_of_the_file_is_sent_and_never_shown(codex: Path) -> None:
    codex.write_text(CODEX)

    found = Configuration.load("inline")

    assert sent_by(found) == {"authorization": "Bearer tok-secret"}
    assert found.sources["key"] == f"{codex}, line 16"
    assert "tok-secret" not in repr(found)


def test_a_login_of_the_codex_cli_is_used_where_the_provider_wants_it(codex: Path) -> None:
    codex.write_text(CODEX)
    (codex.parent / "auth.json").write_text('{"tokens": {"access_token": "t"}}')

    assert sent_by(Configuration.load("login")) == {"authorization": "Bearer t"}
    assert sent_by(Configuration.load("open")) == {}


def test_our_file_stands_over_that_of_the_codex_cli(own: Path, codex: Path) -> None:
    codex.write_text(CODEX)
    own.write_text('[providers.gateway]\nbase_url = "https://ours.example/v1"\n')

    assert Provider.load("gateway").base_url == "https://ours.example/v1"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('provider = "work"\n[providers.work\n', "", "line 2"),
        ("[providers.work]\nbase_url = 7\n", "line 2, providers.work.base_url", "expected `str`"),
        ('[providers.work]\nname = "x"\n', "line 1, providers.work", "base_url is missing"),
        (
            '[providers.work]\nbase_url = "https://h"\n\nbase_ulr = "x"\n',
            "line 4, providers.work.base_ulr",
            "no such setting",
        ),
        (
            '[providers.work]\nbase_url = "https://h"\nheaders = { x-a = "1", x-b = 2 }\n',
            "line 3, providers.work.headers",
            "expected `str`",
        ),
        (
            '[providers.work]\nbase_url = "https://h"\n[providers.work.retry]\nmax_attempts = -1\n',
            "line 4, providers.work.retry.max_attempts",
            "negative",
        ),
        (
            '[providers.work]\nbase_url = "https://h"\ntimeouts.total = 0\n',
            "line 3, providers.work.timeouts.total",
            "seconds",
        ),
        ('[providers.work]\nbase_url = "h"\n', "line 2, providers.work.base_url", "absolute"),
        ('[providers.work]\nbase_url = "https://h"\nretry = 1\n', "line 3", "providers.work.retry"),
        ("providers = 1\n", "line 1, providers", "expected `object`"),
        ('[providers]\nwork = "x"\n', "line 2, providers.work", "a table is wanted"),
        ("[[providers.work]]\n", "line 1, providers.work", "a table is wanted"),
        ("colour = 1\n", "line 1, colour", "no such setting"),
        (
            '[providers.work]\nbase_url = "https://h"\nenv_key = ""\n',
            "line 3, providers.work.env_key",
            "matching",
        ),
        (
            '[providers.work]\nbase_url = "https://h"\nenv_headers = { x-a = "A B" }\n',
            "line 3, providers.work.env_headers",
            "matching",
        ),
    ],
)
def test_a_mistake_names_file_line_and_key(own: Path, text: str, where: str, what: str) -> None:
    own.write_text(text)

    with pytest.raises(errors.RequestBuildError) as caught:
        Configuration.load("work")

    assert str(own) in str(caught.value)
    assert where in str(caught.value)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("signed", r"line \d+, model_providers\.signed\.aws: only the Codex CLI"),
        ("azure", "--base-url"),
        ("nobody", "known: openai, chatgpt, azure, ollama, lmstudio, gateway, inline"),
    ],
)
def test_what_cannot_be_used_is_explained(codex: Path, name: str, what: str) -> None:
    codex.write_text(CODEX)

    with pytest.raises(errors.RequestBuildError, match=what):
        Configuration.load(name)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('[model_providers.x]\nname = "x"\n', "line 1, model_providers.x: base_url is missing"),
        ('[model_providers.x]\nbase_url = "h"\n', "line 1, model_providers.x: Provider.base_url"),
        ("[model_providers.x]\nbase_url = 1\n", "line 2, model_providers.x.base_url"),
        (
            '[model_providers.x]\nbase_url = "https://h"\nwire_api = "chat"\n',
            "line 3, model_providers.x.wire_api: only the Responses API",
        ),
    ],
)
def test_mistakes_in_the_file_of_the_codex_cli_are_placed_too(
    codex: Path, content: str, what: str
) -> None:
    codex.write_text(content)

    with pytest.raises(errors.RequestBuildError) as caught:
        Configuration.load("x")

    assert f"{codex}, {what}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai", "OPENAI_BASE_URL"),
        ("ollama", "CODEX_OSS_BASE_URL"),
        ("lmstudio", "CODEX_OSS_PORT"),
    ],
)
def test_a_variable_that_holds_no_url_is_named(
    own: Path, monkeypatch: pytest.MonkeyPatch, name: str, variable: str
) -> None:
    own.write_text("")
    monkeypatch.setenv(variable, "secret words")

    with pytest.raises(errors.RequestBuildError, match=f"^environment {variable}: ") as caught:
        Configuration.load(name)

    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(own: Path) -> None:
    own.mkdir()

    with pytest.raises(errors.RequestBuildError, match=r"config\.toml: cannot be read"):
        Configuration.load()


def test_a_file_in_another_encoding_is_named(own: Path) -> None:
    own.write_bytes(b'provider = "\xff"\n')

    with pytest.raises(errors.RequestBuildError, match=r"config\.toml: this is not UTF-8"):
        Configuration.load()


def test_a_file_that_nests_too_deep_is_named(own: Path) -> None:
    own.write_text("a = " + "[" * 100_000)

    with pytest.raises(errors.RequestBuildError, match=r"config\.toml: this is nested too deep"):
        Configuration.load()


def test_a_byte_order_mark_is_no_part_of_a_file(own: Path, codex: Path) -> None:
    """As editors of Windows put it there."""
    own.write_text('\ufeffprovider = "x"\n', encoding="utf-8")
    codex.write_text('\ufeff[model_providers.x]\nbase_url = "https://h"\n', encoding="utf-8")
    login = codex.with_name("auth.json")
    login.write_text('\ufeff{"OPENAI_API_KEY": "k"}', encoding="utf-8")

    assert Provider.load().base_url == "https://h"
    assert sent_by(Configuration.load("chatgpt"))["authorization"] == "Bearer k"


@pytest.mark.parametrize("content", [b'{"OPENAI_API_KEY":"\xff"}', b'{"x":' + b"[" * 100_000, b""])
def test_credentials_that_cannot_be_read_are_told_by_their_file(
    codex: Path, content: bytes
) -> None:
    login = codex.with_name("auth.json")
    login.write_bytes(content)

    with pytest.raises(errors.AuthBuildError, match=r"cannot read credentials from .*auth\.json"):
        Configuration.load("chatgpt").auth()


@pytest.mark.parametrize("setting", ["env_key", "env_headers.x"])
def test_a_key_in_the_place_of_its_variable_is_not_shown(own: Path, setting: str) -> None:
    own.write_text(f'[providers.work]\nbase_url = "https://h"\n{setting} = "sk-tok-secret"\n')

    with pytest.raises(errors.RequestBuildError, match=r"providers\.work\.env_") as caught:
        Configuration.load("work")
    assert "tok-secret" not in str(caught.value)


def test_no_value_of_a_file_is_in_a_message(own: Path) -> None:
    own.write_text('[providers.work]\nbase_url = "https://h"\nheaders = { x = ["tok-secret"] }\n')

    with pytest.raises(errors.RequestBuildError) as caught:
        Configuration.load("work")

    assert "tok-secret" not in str(caught.value)
