"""``codex-api serve`` in a process of its own, as any program finds it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
import trustme
from rich.console import Console

from codex_api.cli import main
from codex_api.cli.request_log import RequestLog
from codex_api.testing.server.watching import ServedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = {"model": "gpt-5.1", "input": "say hello", "stream": True}


@contextmanager
def serving(*options: str, key: str = "unused") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "codex_api", "serve", "--port", "0", *options]
    with subprocess.Popen(  # noqa: S603 - this interpreter
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("export OPENAI_BASE_URL="), process.communicate()
            # Before others read the pipe, so that nothing is left in this buffer.
            assert process.stdout.readline() == f"export OPENAI_API_KEY={key}\n"
            yield first.strip().partition("=")[2], process
        finally:
            process.kill()


def told(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Stop the server as a person does; give its exit code and what it said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_another_client_is_served_by_the_lines_for_its_environment() -> None:
    with serving("--api-key", "k1", key="k1") as (url, process):
        client = openai.OpenAI(base_url=url, api_key="k1")
        text = client.responses.create(model="gpt-5.1", input="say hello").output_text
        client.close()
        assert httpx2.get(f"{url}/models").status_code == 401
        code, out, err = told(process)

    assert 'You said: "say hello".' in text
    assert (code, out) == (0, "")
    assert err.splitlines()[0] == f"serving {url}"
    assert re.search(r'POST /responses 200 .* gpt-5.1 "say hello"', err)
    assert err.splitlines()[-1] == "stopped after 2 requests"
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_while_a_response_hangs(number: int) -> None:
    with (
        serving("--faults", "stall:after=1") as (url, process),
        httpx2.stream("POST", f"{url}/responses", json=HELLO) as reply,
    ):
        assert next(reply.iter_lines()) == "event: response.created"
        code, _, err = told(process, number)

    assert (code, err.count("Traceback")) == (0, 0)
    assert "200" in err and "gone 1 events" in err  # noqa: PT018 - one line


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main(["serve", "--port", str(port)])

    assert code == 1
    assert capsys.readouterr().err == (
        f"codex-api: port {port} of 127.0.0.1 is in use; choose another with --port, or 0 for a "
        "free one\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--faults", "cutt"), "--faults: no fault 'cutt'; do you mean 'cut'?"),
        (("--faults", "cut:how=soft"), "how of cut is 'soft', and should be one of 'clean'"),
        (("--faults", "cut@2"), "'2' in 'cut@2' is no probability"),
        (("--port", "70000"), "--port must be from 0 to 65535"),
        (("--tokens-per-second", "0"), "tokens per second must be more than 0"),
        (("--rpm", "0"), "requests_per_minute must be at least 1"),
        (("--tls-cert", "a.pem"), "--tls-cert and --tls-key belong together"),
        (("--tls", "--tls-cert", "a", "--tls-key", "b"), "--tls makes a certificate"),
        (("--tls", "--allow-host", "a b"), "no certificate can be made for"),
    ],
)
def test_options_that_make_no_sense_are_one_line(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert main(["serve", *options]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_scenario_file_is_played_and_what_it_expects_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        '[server]\napi_keys = ["k9"]\n[[rule]]\nname = "hi"\nreply = { say = "Good day." }\n'
        '[[expect]]\nrule = "hi"\ntimes = 2\n'
    )
    with serving("--scenario", str(path), key="k9") as (url, process):
        client = openai.OpenAI(base_url=url, api_key="k9")
        assert client.responses.create(model="m", input="hello").output_text == "Good day."
        client.close()
        code, _, err = told(process)

    assert code == 1
    assert "codex-api: expected 2 requests for rule 'hi', got 1" in err
    assert '  hi: POST /v1/responses m "hello"' in err
    assert "Traceback" not in err


def test_a_broken_scenario_file_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[[rule]]\nreply = { sya = "x" }\n')

    assert main(["serve", "--scenario", str(path)]) == 2
    told_line = f"codex-api: {path}:2: rule[0].reply.sya: is no key; do you mean 'say'?\n"
    assert capsys.readouterr().err == told_line


def test_https_with_a_made_certificate_is_trusted_by_the_lines_for_the_environment() -> None:
    with serving("--tls", "--allow-host", "box.test") as (url, process):
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(5)]
        named = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        authority = Path(named["SSL_CERT_FILE"])
        assert set(named.values()) == {str(authority)}
        assert set(named) >= {"CODEX_CA_CERTIFICATE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"}
        assert b"PRIVATE" not in authority.read_bytes()
        assert (authority.parent / "key.pem").stat().st_mode & 0o777 == 0o600
        trusted = ssl.create_default_context(cafile=str(authority))
        host = url.partition("//")[2].partition("/")[0]
        assert url == f"https://{host}/v1"
        for name in ("127.0.0.1", "localhost", "box.test"):
            with socket.create_connection(("127.0.0.1", int(host.split(":")[1]))) as plain:
                trusted.wrap_socket(plain, server_hostname=name).close()
        done = subprocess.run(
            [sys.executable, "-m", "codex_api", "respond", "say hello"],
            env={**os.environ, **named, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "unused"},
            capture_output=True,
            text=True,
            check=False,
        )
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{url}/models")
        code, _, err = told(process)

    assert 'You said: "say hello".' in done.stdout, done.stderr
    assert (code, "clients trust it by" in err) == (0, True)
    assert not authority.parent.exists()


def test_pages_and_rebound_names_are_kept_out() -> None:
    with serving("--allow-host", "box.test") as (url, _):
        port = url.rpartition(":")[2].partition("/")[0]

        def status(**headers: str) -> int:
            return httpx2.get(f"{url}/models", headers=headers).status_code

        assert status() == 200
        assert status(host=f"localhost:{port}") == 200
        assert status(host=f"box.test:{port}") == 200
        assert status(host=f"10.1.2.3:{port}") == 200
        assert status(host=f"rebound.example:{port}") == 421
        assert status(origin="http://evil.example") == 403
        assert status(origin="null") == 403
        assert status(origin=f"http://127.0.0.1:{port}") == 200


def test_the_log_file_has_a_line_a_request_and_no_key(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with serving("--quiet", "--log", str(path), "--faults", "cut:after=2") as (url, process):
        headers = {"authorization": "Bearer s3cret"}
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.post(f"{url}/responses?key=s3cret", json=HELLO, headers=headers)
        httpx2.get(f"{url}/models", headers=headers)
        _, _, err = told(process)

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    seen = [(each["path"], each["status"], each["events"], each["outcome"]) for each in lines]
    assert seen == [("/v1/responses", 200, 2, "gone"), ("/v1/models", 200, 0, "")]
    assert "s3cret" not in path.read_text() + err
    assert "/responses" not in err


def test_a_seed_repeats_what_is_left_to_chance(tmp_path: Path) -> None:
    def outcomes(name: str, seed: str) -> list[str]:
        path = tmp_path / name
        options = ("--log", str(path), "--faults", "failed:code=x@0.5", "--seed", seed)
        with serving(*options) as (url, process), httpx2.Client() as client:
            for _ in range(12):
                client.post(f"{url}/responses", json=HELLO)
            told(process)
        return [json.loads(line)["outcome"] for line in path.read_text().splitlines()]

    first = outcomes("a", "7")

    assert set(first) == {"completed", "failed"}
    assert outcomes("b", "7") == first
    assert outcomes("c", "8") != first


def test_https_with_files_of_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    chain, key, roots = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "roots.pem"
    chain.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(roots))
    with serving("--tls-cert", str(chain), "--tls-key", str(key)) as (url, _):
        environment = {**os.environ, "SSL_CERT_FILE": str(roots), "OPENAI_BASE_URL": url}
        done = subprocess.run(
            [sys.executable, "-m", "codex_api", "respond", "say hello", "--provider", "openai"],
            env={**environment, "OPENAI_API_KEY": "sk-test"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert url.startswith("https://127.0.0.1:")
    assert (done.returncode, 'You said: "say hello".' in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    "body",
    [
        {"input": "draw a cat"},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "draw a cat"}]}]},
        {"prompt": "draw a cat"},
    ],
)
def test_the_log_tells_what_was_said_wherever_it_stands(body: dict[str, Any]) -> None:
    file = io.StringIO()
    log = RequestLog(Console(file=file, width=100, color_system=None))

    log.tell(ServedRequest("POST", "/v1/any", 200, 0.1, 0, body))

    assert file.getvalue().rstrip().endswith('"draw a cat"')


@pytest.mark.parametrize("columns", [60, 80])
def test_a_line_of_the_log_stays_one_line(columns: int) -> None:
    file = io.StringIO()
    body = {"model": "gpt-5.1-codex", "input": [{"role": "user", "content": "a\nb \x1b[2J" * 90}]}
    usage = {"input_tokens": 1200, "output_tokens": 34}
    log = RequestLog(Console(file=file, width=columns, color_system=None))

    log.tell(ServedRequest("POST", "/v1/responses", 200, 1.26, 17, body, "failed", usage))

    (line,) = file.getvalue().splitlines()
    assert len(line) <= columns
    assert " POST /responses 200 1.3 s failed 17 events 1200>34" in line
    assert "\x1b" not in line
