"""The package as a user gets it: its names, what importing it loads, the wheel."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import codex_api

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src"
PACKAGE = SRC / "codex_api"
EXTRAS = {
    "all",
    "bench",
    "bulk",
    "cli",
    "dev",
    "fuzz",
    "httpx2",
    "microphone",
    "objects",
    "otel",
    "parquet",
    "ray",
    "socks",
    "testing",
    "tls",
    "server",
    "webrtc",
    "zstd",
}


def run_python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - this interpreter
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("package", ["", ".session", ".testing", ".transport"])
def test_type_checkers_see_what_the_interpreter_imports(package: str) -> None:
    module = import_module(f"codex_api{package}")
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text())
    seen = {
        alias.asname or alias.name: import_module(statement.module)
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }

    assert set(seen) == {name for name in module.__all__ if name != "__version__"}
    for name, source in seen.items():
        assert getattr(module, name) is getattr(source, name)


def test_submodules_are_attributes() -> None:
    for name in codex_api._SUBMODULES:
        assert getattr(codex_api, name) is import_module(f"codex_api.{name}")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = codex_api.nonsense


def test_all_names_of_a_module_are_importable() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        if name == "codex_api.__main__":
            continue
        module = import_module(name)
        exported = getattr(module, "__all__", [])

        assert sorted(exported) == sorted(set(exported)), name
        assert [entry for entry in exported if not hasattr(module, entry)] == [], name


_LOADED = "import json, sys; {}; print(json.dumps(sorted(sys.modules)))"
_HEAVY = {
    "aiortc",
    "asyncio",
    "codex_api.cli",
    "codex_api.session",
    "codex_api.testing",
    "cyclopts",
    "httpx2",
    "msgspec",
    "opentelemetry",
    "pyreqwest",
    "rich",
    "starlette",
    "uvicorn",
    "websockets",
}
_CORE_ONLY = _HEAVY - {"asyncio", "msgspec"}


def test_importing_the_package_loads_no_engine() -> None:
    loaded = json.loads(run_python(_LOADED.format("import codex_api")))

    assert _HEAVY.intersection(loaded) == set()


@pytest.mark.parametrize("name", ["Client", "AsyncClient"])
def test_a_client_loads_no_extra(name: str) -> None:
    code = (
        f"from codex_api import {name}, Provider, ApiKeyAuth, errors, events, items;"
        f"{name}(Provider.openai(), auth=ApiKeyAuth('k')).responses"
    )

    loaded = json.loads(run_python(_LOADED.format(code)))

    assert _CORE_ONLY.intersection(loaded) == set()


def test_the_import_contracts_hold() -> None:
    output = run_python("from importlinter.cli import lint_imports_command; lint_imports_command()")

    assert " 0 broken" in output


def test_the_fronts_stay_thin() -> None:
    """By the lines that somebody wrote, in the library without its programs."""

    def lines(folder: Path) -> int:
        texts = (path.read_text() for path in folder.rglob("*.py"))
        return sum(len(text.splitlines()) for text in texts if not text.startswith("# Generated"))

    library = lines(PACKAGE) - lines(PACKAGE / "cli") - lines(PACKAGE / "testing")

    assert lines(PACKAGE / "_sync") + lines(PACKAGE / "_async") < 0.15 * library


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    target = tmp_path_factory.mktemp("wheel")
    run_python(
        "import runpy, sys; runpy.run_module('hatchling', run_name='__main__')",
        *("build", "-t", "wheel", "-d", str(target)),
    )
    (path,) = target.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read(f"codex_api-{codex_api.__version__}.dist-info/METADATA"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    info = f"codex_api-{codex_api.__version__}.dist-info"
    expected = {
        path.relative_to(SRC).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    packed = {name for name in wheel.namelist() if not name.startswith(info)}

    assert packed == expected
    assert "codex_api/py.typed" in packed
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


def test_the_core_install_needs_three_packages(metadata: Message) -> None:
    required = metadata.get_all("Requires-Dist", [])

    core = {re.split("[<>]", line)[0] for line in required if "extra ==" not in line}
    assert core == {"msgspec", "truststore", "websockets"}
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS


def test_the_console_script_is_the_cli(wheel: zipfile.ZipFile) -> None:
    entry_points = wheel.read(f"codex_api-{codex_api.__version__}.dist-info/entry_points.txt")

    assert b"codex-api = codex_api.cli:main" in entry_points


def test_the_wheel_works_without_the_source_tree(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import codex_api\n"
        "for name in codex_api.__all__: getattr(codex_api, name)\n"
        "print(codex_api.__file__)"
    )

    assert run_python(code, str(tmp_path)).startswith(str(tmp_path))
