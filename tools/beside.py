"""Run the WebSocket tests against the installed wheel, in environments that users have.

Each environment holds a package whose own bounds on ``websockets`` ours must meet; one more holds
the lowest versions that we allow. An environment is left out, and said to be, where the index does
not have its package. That the wheel cannot be installed beside a package is a failure.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".peers"
PACKAGES = ("openai[realtime]", "openai-agents", "litellm[proxy]")
# What the tests below import, of the extra `dev`.
TEST_TOOLS = {"anyio", "hypothesis", "pytest", "pytest-timeout", "pytest-xdist", "trustme"}
TESTS = (
    "tests/transport/test_websocket.py",
    "tests/transport/_core/test_websocket.py",
    "tests/transport/test_hostile_websocket.py",
    "tests/fronts/test_websocket.py",
)
WHERE = "import codex_api, sysconfig; print(codex_api.__file__, sysconfig.get_path('purelib'))"


class Environment:
    """A virtual environment in ``.peers``, made anew."""

    def __init__(self, name: str) -> None:
        self.folder = PEERS / f"beside-{name}"
        self.python = self.folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        self._uv = shutil.which("uv")
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._uv:
            run(self._uv, "venv", "-q", "--python", sys.executable, str(self.folder))
        else:
            run(sys.executable, "-m", "venv", str(self.folder))

    def install(self, *requirements: str) -> bool:
        """Install ``requirements`` so that all of them are met; return whether that was done."""
        python = str(self.python)
        if self._uv:
            return run(self._uv, "pip", "install", "-q", "--python", python, *requirements)
        options = ("-q", "--disable-pip-version-check")
        return run(python, "-m", "pip", "install", *options, *requirements)

    def test(self) -> bool:
        """Run the tests here; return whether they passed."""
        python = str(self.python)
        told = subprocess.check_output([python, "-c", WHERE], cwd=ROOT, text=True)
        module, packages = told.split()
        if not module.startswith(packages):
            message = f"the tests would run against {module}, not against the wheel"
            raise SystemExit(message)
        return run(python, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *TESTS)


def run(*command: str) -> bool:
    """Run ``command`` in the root of the repository; return whether it succeeded."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def wheel() -> str:
    """Build the wheel and return its path."""
    folder = PEERS / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    if not run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)):
        raise SystemExit("the wheel could not be built")
    (built,) = folder.glob("*.whl")
    return str(built)


def main() -> int:
    """Run the tests in every environment; return the number of those where something failed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tools = [
        requirement
        for requirement in project["optional-dependencies"]["dev"]
        if re.match(r"[\w-]+", requirement)[0] in TEST_TOOLS  # type: ignore[index]  # always matches
    ]
    lowest = [re.sub(r">=([\d.]+).*", r"==\1", bound) for bound in project["dependencies"]]
    built, failed = wheel(), 0
    for package in (*PACKAGES, None):
        name = "lowest" if package is None else re.sub(r"\W+", "-", package).strip("-")
        print(f"== the wheel beside {package or ', '.join(lowest)}", flush=True)
        environment = Environment(name)
        if package is not None and not environment.install(package):
            print(f"make beside: {package} cannot be installed here, left out", flush=True)
            continue
        beside = lowest if package is None else [package]
        failed += not (environment.install(built, *beside, *tools) and environment.test())
    return failed


if __name__ == "__main__":
    sys.exit(main())
