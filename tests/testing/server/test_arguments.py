"""What a prompt gives a tool, and what not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_api.testing.server.arguments import custom_input, function_arguments, said_after

SHELL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "cmd": {"type": "string"},
        "argv": {"type": "array", "items": {"type": "string"}},
        "lines": {"type": "integer"},
        "login": {"type": "boolean"},
        "where": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["cmd"],
}
CMD = "shell"


def arguments(prompt: str, schema: dict[str, Any] = SHELL) -> Any:
    return json.loads(function_arguments(schema, said_after(CMD, prompt, [])))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("call shell with cmd=ls", {"cmd": "ls"}),
        ("call shell with cmd=ls.", {"cmd": "ls"}),
        ("call shell(cmd=ls, lines=3)", {"cmd": "ls", "lines": 3}),
        ("shell cmd='rm -r \"x\"' login=true", {"cmd": 'rm -r "x"', "login": True}),
        (r'shell cmd="echo \"hi\""', {"cmd": 'echo "hi"'}),
        ('shell cmd="C:\\dir"', {"cmd": "C:\\dir"}),
        ("shell cmd=`echo hi; ls`", {"cmd": "echo hi; ls"}),
        ('shell argv=["ls", "-l"] cmd=x', {"cmd": "x", "argv": ["ls", "-l"]}),
        ("shell cmd=[", {"cmd": "["}),
        ("shell cmd=1 where=null", {"cmd": "1", "where": "null"}),
        ("shell lines=many", {"cmd": "", "lines": "many"}),
        ('shell "echo hi"', {"cmd": "echo hi"}),
        ("shell: `echo hi`", {"cmd": "echo hi"}),
        ("shell\n```sh\necho hi\n```", {"cmd": "echo hi\n"}),
        ("use `shell` with `echo hi`", {"cmd": "echo hi"}),
        ('shell {"cmd": 1, "other": [2]} now', {"cmd": 1, "other": [2]}),
        ('shell with {"cmd": "a"}', {"cmd": "a"}),
        ("cmd=ls is what shell gets", {"cmd": ""}),
        ("nothing named, cmd=ls", {"cmd": "ls"}),
    ],
)
def test_arguments_are_given_in_these_forms(prompt: str, expected: Any) -> None:
    assert arguments(prompt) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "please use the shell to delete 3 files",
        "shell rm -rf everything",
        'the "quoted text" comes before shell',
        "shell {not json",
        "shell xcmd=ls",
    ],
)
def test_prose_is_no_argument(prompt: str) -> None:
    assert arguments(prompt) == {"cmd": ""}


def test_what_is_required_is_as_small_as_it_may_be() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "minLength": 2},
            "b": {"type": "string", "pattern": "^[0-9]+$"},
            "c": {"type": ["string", "null"]},
            "d": {"type": "boolean"},
            "e": {"enum": ["x", "y"]},
            "f": {"type": "array", "items": {"type": "string"}},
            "g": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]},
            "h": {"$ref": "#/$defs/n"},
        },
        "required": ["a", "b", "c", "d", "e", "f", "g", "h"],
        "$defs": {"n": {"type": "integer", "minimum": 5}},
    }
    made = arguments("call shell y 77 h=9", schema)

    assert made == {
        "a": "..",
        "b": "1",
        "c": None,
        "d": False,
        "e": "x",
        "f": [],
        "g": None,
        "h": 9,
    }


def test_each_tool_gets_what_follows_its_name() -> None:
    prompt = "call a with x=1 and b with x=2"

    assert said_after("a", prompt, ["b"]).strip() == "with x=1 and"
    assert said_after("b", prompt, ["a"]).strip() == "with x=2"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("patch `a`", "a"),
        ("patch with input='a b'", "a b"),
        ("patch\n```\na\nb\n```", "a\nb\n"),
        ("patch everything", ""),
    ],
)
def test_a_custom_tool_gets_text(prompt: str, expected: str) -> None:
    assert custom_input("patch", said_after("patch", prompt, [])) == expected
