#!/usr/bin/env bash
# The first hour with the wheel and nothing else, as somebody has it who comes from another client:
# install, serve, the official SDK, record, replay, inspect, and tests with the plugin.
# Needs Python >= 3.11 and a package index; `env -i HOME=... PATH=...` is enough of an environment.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
started=()
clean() {
    for pid in ${started[@]+"${started[@]}"}; do kill "$pid" 2>/dev/null || :; done
    wait
    rm -rf "$work"
}
trap clean EXIT
step() { echo "newcomer: $SECONDS s: $*"; }
fail() { echo "newcomer: $*" >&2; exit 1; }

for each in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    command -v "$each" >/dev/null || continue
    "$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && python=$each && break
done
test -n "${python:-}" || fail "Python 3.11 or newer is needed"

# What a newcomer downloads, put together from what is here; the folder is left as it is.
step "build the wheel"
mkdir "$work/source"
tar -C "$root" -cf - pyproject.toml README.md LICENSE src | tar -C "$work/source" -xf -
if command -v uv >/dev/null; then
    export UV_SYSTEM_CERTS=true
    uv build -q --wheel --python "$python" --out-dir "$work" "$work/source"
    uv venv -q --python "$python" "$work/venv"
    install() { uv pip install -q --python "$work/venv/bin/python" "$@"; }
else
    "$python" -m venv "$work/venv"
    install() { "$work/venv/bin/python" -m pip install -q --disable-pip-version-check "$@"; }
    "$work/venv/bin/python" -m pip wheel -q --disable-pip-version-check --no-deps -w "$work" "$work/source"
fi
cd "$work"
rm -rf source
PATH="$work/venv/bin:$PATH"

step "install it"
install "$(echo "$work"/*.whl)[cli,server]" openai pytest
python -c 'import codex_api, sys; sys.exit(not codex_api.__file__.startswith(sys.prefix))' \
    || fail "another codex-api than the wheel is imported"

cat >ask.py <<'END'
import sys
import openai

with openai.OpenAI() as client:
    print(client.responses.create(model="gpt-5.1", input=sys.argv[1]).output_text)
    with client.responses.stream(model="gpt-5.1", input="Count to 5.") as stream:
        print("".join(event.delta for event in stream if event.type == "response.output_text.delta"))
    print(len(client.models.list().data), "models")
END

# start NAME COMMAND...: run it in the background until it has printed its two lines.
start() {
    name=$1; shift
    : >"$name.env"
    "$@" >"$name.env" 2>"$name.log" &
    started+=("$!")
    until test "$(wc -l <"$name.env")" -ge 2; do
        kill -0 "$!" 2>/dev/null || fail "$name ended: $(cat "$name.log")"
        sleep 0.1
    done
}
# stop PID: as Ctrl-C does; gives its exit code.
stop() { kill -INT "$1"; wait "$1"; }
asked() { (. "./$1.env" && python ask.py "${2:-Say hello.}"); }

step "serve, and the official SDK against it"
start serve codex-api serve --port 0
serve=$!
asked serve >first.txt
cat first.txt
grep -q '^You said: "Say hello."' first.txt || fail "the SDK got another answer"
grep -q '^1 2 3 4 5$' first.txt || fail "the SDK got another stream"
(. ./serve.env && echo "Say hi." | python "$root/examples/streaming_chat.py") | grep -q 'Say hi'
(. ./serve.env && codex-api respond "Say hello." 2>respond.log) | grep -q 'Say hello'

step "record it"
(. ./serve.env && echo "$OPENAI_BASE_URL") >upstream.txt
start record codex-api record --upstream "$(cat upstream.txt)" --out hello.jsonl --port 0
record=$!
asked record >recorded.txt
stop "$record" || fail "record: $(cat record.log)"
stop "$serve" || fail "serve: $(cat serve.log)"
cmp first.txt recorded.txt

step "replay it"
start replay codex-api replay hello.jsonl --port 0
asked replay >replayed.txt
stop $! || fail "replay: $(cat replay.log)"
cmp first.txt replayed.txt
start changed codex-api replay hello.jsonl --port 0
asked changed "Say bye." >changed.txt 2>&1 && fail "another question was answered from the cassette"
stop $! && fail "replay ended well with a request it had no answer to"
grep -q 'input: recorded "Say hello.", now "Say bye."' changed.log || fail "$(cat changed.log)"

if codex-api inspect --help >/dev/null 2>&1; then
    step "inspect it"
    codex-api inspect hello.jsonl
    codex-api inspect hello.jsonl --html page.html >/dev/null
    grep -qi '<svg\|<canvas\|<html' page.html || fail "inspect --html drew nothing"
fi

step "test a program"
cp -r "$root/examples/tested_agent" .
(cd tested_agent && PYTHONPATH=src python -m pytest -q -p no:cacheprovider)

step "done"
