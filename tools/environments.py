"""Virtual environments for trying the wheel, made anew in ``.peers``."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PEERS: Final = ROOT / ".peers"


class Environment:
    """An empty environment.

    Args:
        name: Of its folder.
        interpreter: What it is made with.
    """

    def __init__(self, name: str, interpreter: str = sys.executable) -> None:
        self.folder: Path = PEERS / name
        place = "Scripts" if sys.platform == "win32" else "bin"
        self.python: str = str(self.folder / place / "python")
        self._uv = shutil.which("uv")
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._uv:
            run(self._uv, "venv", "-q", "--python", interpreter, str(self.folder))
        else:
            run(interpreter, "-m", "venv", str(self.folder))

    def install(self, *requirements: str) -> bool:
        """Install ``requirements`` so that all of them are met; return whether that was done."""
        if self._uv:
            return run(self._uv, "pip", "install", "-q", "--python", self.python, *requirements)
        options = ("-q", "--disable-pip-version-check")
        return run(self.python, "-m", "pip", "install", *options, *requirements)

    def run(self, *arguments: str) -> bool:
        """Run the interpreter away from the sources; return whether it succeeded."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [self.python, *arguments]
        return subprocess.run(command, cwd=self.folder, env=kept, check=False).returncode == 0

    def packages(self) -> list[dict[str, str]]:
        """Return name and version of what is installed, without the installers."""
        command = [self.python, "-c", _PACKAGES]
        told = json.loads(subprocess.check_output(command, cwd=self.folder, text=True))
        return [{"name": name, "version": version} for name, version in told]


_PACKAGES: Final = """
import importlib.metadata, json
found = {(each.name, each.version) for each in importlib.metadata.distributions()}
print(json.dumps(sorted(each for each in found if each[0] not in {"pip", "setuptools", "wheel"})))
"""


def lowest_versions() -> list[str]:
    """Return the lowest version that each dependency may have."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.sub(r">=([\d.]+).*", r"==\1", bound) for bound in project["dependencies"]]


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
