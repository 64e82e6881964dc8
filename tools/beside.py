"""Run the WebSocket tests against the installed wheel, in environments that users have.

Each environment holds a package whose own bounds on ``websockets`` ours must meet; one more holds
the lowest versions that we allow. An environment is left out, and said to be, where the index does
not have its package. That the wheel cannot be installed beside a package is a failure.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from tools.environments import ROOT, Environment, lowest_versions, run, wheel

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


def test(environment: Environment) -> bool:
    """Run the tests in an environment; return whether they passed."""
    told = subprocess.check_output([environment.python, "-c", WHERE], cwd=ROOT, text=True)
    module, packages = told.split()
    if not module.startswith(packages):
        message = f"the tests would run against {module}, not against the wheel"
        raise SystemExit(message)
    options = ("-q", "-n", "auto", "-p", "no:cacheprovider")
    return run(environment.python, "-m", "pytest", *options, *TESTS)


def main() -> int:
    """Run the tests in every environment; return the number of those where something failed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tools = [
        requirement
        for requirement in project["optional-dependencies"]["dev"]
        if re.match(r"[\w-]+", requirement)[0] in TEST_TOOLS  # type: ignore[index]  # always matches
    ]
    lowest = lowest_versions()
    built, failed = wheel(), 0
    for package in (*PACKAGES, None):
        name = "lowest" if package is None else re.sub(r"\W+", "-", package).strip("-")
        print(f"== the wheel beside {package or ', '.join(lowest)}", flush=True)
        environment = Environment(f"beside-{name}")
        if package is not None and not environment.install(package):
            print(f"make beside: {package} cannot be installed here, left out", flush=True)
            continue
        beside = lowest if package is None else [package]
        failed += not (environment.install(built, *beside, *tools) and test(environment))
    return failed


if __name__ == "__main__":
    sys.exit(main())
