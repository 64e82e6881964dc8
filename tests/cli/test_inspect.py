"""``codex-api inspect``: files in the terminal and in a browser, and what passes live."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from codex_api import Client, Provider, ResponsesApiRequest, RetryConfig, errors, items
from codex_api.cli import main
from codex_api.cli.timeline_file import LivePage, write_page
from codex_api.testing import EmbeddedServer, call, faults, say, scenarios, think
from codex_api.testing.cassettes import Cassette, RecordingTransport, load
from codex_api.testing.steps import Pause
from codex_api.testing.timeline_page import page as page_of
from codex_api.testing.timelines import read_lanes
from codex_api.transport import HttpTransport
from tests.cli.realtime import chromium

if TYPE_CHECKING:
    from typing import Any

PICTURES = Path(__file__).parents[2] / "docs" / "images"
HELLO = {"model": "gpt-5.1", "input": "say hello", "stream": True}
POEM = "Roses are red, violets are blue, streams may be slow, and this one is, too. " * 2


def recorded(path: Path, pace: float = 0.0) -> Path:
    """Record a retry, a call of a tool, its answer, a WebSocket with a pause, and a cut stream."""

    def waits(first: float, each: float, seed: int) -> Any:
        return faults.delayed(first * pace, each * pace, spread=0.6, seed=seed)

    question = items.Message.user("How is the weather in Paris?")
    transport = RecordingTransport(HttpTransport(), Cassette(path))
    with EmbeddedServer() as server:
        provider = Provider(name="t", base_url=server.url, retry=RetryConfig(base_delay=0.01))
        server.play(
            scenarios.overloaded(),
            (think("A tool knows.") + call("get_weather", ['{"ci', 'ty": "Paris"}'])).fails(
                waits(0.9, 0.06, 1)
            ),
            say("It is sunny in Paris, about twenty degrees.").fails(waits(0.5, 0.07, 2)),
            say(POEM).fails(waits(0.3, 0.05, 5), faults.inject(Pause(2.4 * pace), after=18)),
            say("Never whole, as it breaks here.").fails(waits(0.6, 0.09, 3), faults.cut(after=9)),
        )
        with Client(provider, transport=transport) as client:
            first = ResponsesApiRequest(model="gpt-5.1-codex", input=[question])
            made = client.responses.stream(first).collect().items[-1]
            assert isinstance(made, items.FunctionCall)
            output = items.FunctionCallOutput(call_id=made.call_id, output="sunny, 20 degrees")
            second = ResponsesApiRequest(model="gpt-5.1-codex", input=[question, made, output])
            client.responses.stream(second).collect()
            with client.responses.connect() as socket:
                poem = ResponsesApiRequest(model="gpt-5.1", input="Write a poem about streams")
                socket.stream(poem).collect()
            story = ResponsesApiRequest(model="gpt-5.1", input="Tell me a long story")
            with pytest.raises(errors.StreamClosedError):
                client.responses.stream(story).collect()
    transport.close()
    return path


@pytest.mark.parametrize("columns", [60, 80])
def test_a_cassette_is_drawn_in_the_terminal(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    assert main(["inspect", str(recorded(tmp_path / "a.jsonl"))]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= columns for line in lines)
    heads = [line for line in lines if line.startswith("#")]
    assert len(heads) == 5
    assert "503 serv" in heads[0]
    text = " ".join(" ".join(lines).split())
    assert "calls get_weather" in text
    assert "retry of #1" in text
    assert "first event" in text
    assert any("✖" in line for line in lines)
    assert any("◆" in line for line in lines)


def test_several_files_are_one_timeline_and_one_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = recorded(tmp_path / "a.jsonl")
    two = tmp_path / "b.sse"
    two.write_bytes(load(one)[1].body)
    page = tmp_path / "page.html"

    assert main(["inspect", str(one), str(two), "--html", str(page)]) == 0

    captured = capsys.readouterr()
    assert "#6 gpt-5.1-codex  completed" in captured.out
    assert f"wrote {page}" in captured.err
    assert page.stat().st_mode & 0o777 == 0o600
    assert '"sources": ["a.jsonl", "b.sse"]' in page.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "inspect needs files, or --live with a URL"),
        (("a.jsonl", "--live", "http://127.0.0.1:9/v1"), "inspect needs files, or --live"),
        (("--live", "nowhere"), "--live needs a base URL"),
        (("a.jsonl", "--out", "b"), "--out belongs to --live"),
        (("a.jsonl",), "a.jsonl is no cassette, no event stream and no log of frames"),
        (("b.jsonl",), "b.jsonl is empty"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text("hello\n")
    Path("b.jsonl").write_text("\n")

    assert main(["inspect", *options]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_what_passes_is_shown_live_and_kept(tmp_path: Path) -> None:
    tape, page = tmp_path / "a.jsonl", tmp_path / "a.html"
    options = ["--port", "0", "--out", str(tape), "--html", str(page)]
    with EmbeddedServer() as upstream:
        command = [sys.executable, "-m", "codex_api", "inspect", "--live", upstream.url, *options]
        with subprocess.Popen(  # noqa: S603 - this interpreter
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                url = process.stdout.readline().strip().partition("=")[2]
                assert process.stdout.readline().startswith("export OPENAI_API_KEY=")
                httpx2.post(f"{url}/responses", json=HELLO)
                while not page.exists() or '"outcome": "completed"' not in page.read_text():
                    assert process.poll() is None
                    time.sleep(0.01)
                # Whole lines: what stays in this buffer would be lost.
                shown = "".join(process.stdout.readline() for _ in range(3))
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=20)
            finally:
                process.kill()

    assert shown.startswith("#1 POST /v1/responses gpt-5.1  completed")
    assert " events" in shown
    assert (process.returncode, "saw 1 stream" in err) == (0, True)
    assert len(load(tape)) == 1
    assert '"lanes": [{"name": "#1  POST /v1/responses gpt-5.1"' in page.read_text()


def test_a_page_that_cannot_be_written_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lanes = read_lanes(recorded(tmp_path / "a.jsonl"))
    live = LivePage(tmp_path / "missing" / "page.html")

    live.show([], is_new=True)
    live.show(lanes, is_new=False)
    live.show(lanes, is_new=True)

    assert capsys.readouterr().err.count("cannot be written now: No such file") == 1
    with pytest.raises(FileNotFoundError):
        live.finish(lanes)


def test_a_page_is_written_once_for_what_is_there(tmp_path: Path) -> None:
    lanes = read_lanes(recorded(tmp_path / "a.jsonl"))
    path = tmp_path / "page.html"
    live = LivePage(path)
    live.show(lanes, is_new=True)
    first = path.stat().st_ino

    live.show(lanes, is_new=False)

    assert path.stat().st_ino == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".partial"] == []


def test_a_page_goes_to_what_is_no_file(tmp_path: Path) -> None:
    lanes = read_lanes(recorded(tmp_path / "a.jsonl"))
    target = tmp_path / "linked.html"
    (tmp_path / "link.html").symlink_to(target)

    write_page(Path(os.devnull), lanes)
    write_page(tmp_path / "link.html", lanes)

    assert (tmp_path / "link.html").is_symlink()
    assert target.read_text().startswith("<!doctype html>")
    assert not Path(os.devnull).is_file()


@pytest.mark.peer
@pytest.mark.anyio
@pytest.mark.timeout(120)
@pytest.mark.skipif(chromium.BINARY is None, reason="needs Debian's chromium")
async def test_a_browser_draws_the_lanes(tmp_path: Path) -> None:
    keep = bool(os.environ.get("KEEP_PICTURES"))
    path = recorded(tmp_path / "weather.jsonl", pace=1.0 if keep else 0.1)
    html = tmp_path / "page.html"
    html.write_text(page_of(read_lanes(path)))

    async with chromium.browsing(tmp_path / "profile", html.as_uri()) as page:
        await page.until("document.body.dataset.drawn === '5'")
        rows = await page.evaluate(
            "[...document.querySelectorAll('.lane')].map(row => ({marks: +row.dataset.marks,"
            " chip: row.querySelector('.chip').innerText,"
            " name: row.querySelector('.name').innerText}))"
        )
        inked = await page.until(
            "[...document.querySelectorAll('.lane canvas')].every(c => c.width && c"
            ".getContext('2d').getImageData(0, 0, c.width, c.height).data.some(byte => byte))"
        )
        await page.command(
            "Emulation.setDeviceMetricsOverride",
            width=1100,
            height=800,
            deviceScaleFactor=1,
            mobile=False,
        )
        await page.evaluate("setTheme('light')")
        await page.until("document.documentElement.dataset.theme === 'light' && !isDrawing")
        await page.screenshot(tmp_path / "light.png")
        await page.click("#theme")
        await page.until("document.documentElement.dataset.theme === 'dark' && !isDrawing")
        await page.screenshot(tmp_path / "dark.png")
        await page.evaluate(
            "(() => { const canvas = canvases[2][0], lane = canvases[2][1], box = canvas."
            "getBoundingClientRect(), at = lane.marks.findIndex(mark => mark[2] === 'tool');"
            " canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + "
            "place(lane.began + lane.marks[at][0], box.width), clientY: box.top + 9})); })()"
        )
        tip = await page.text("#tip")
        await page.evaluate(
            "canvases[4][0].dispatchEvent(new KeyboardEvent('keydown', {key: 'End'}))"
        )
        detail = await page.text("#detail")

    assert [row["chip"] for row in rows] == [
        "503 server_is_overloaded",
        "completed",
        "completed",
        "completed",
        "broken",
    ]
    assert all(row["marks"] for row in rows)
    assert rows[3]["name"].endswith("WS /v1/responses gpt-5.1")
    assert inked
    assert "response.function_call_arguments" in tip
    assert '"delta"' in tip
    assert '"type": "response.completed"' in detail
    if keep:
        shutil.copy(tmp_path / "light.png", PICTURES / "timeline.png")
        shutil.copy(tmp_path / "dark.png", PICTURES / "timeline-dark.png")


def test_a_page_of_a_thousand_lanes_is_made(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl")
    lanes = read_lanes(path) * 200

    text = page_of(lanes)

    start = text.index('id="data">') + len('id="data">')
    data = json.loads(text[start : text.index("</script>", start)])
    assert len(data["lanes"]) == 1000
