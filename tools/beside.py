"""Run the WebSocket tests against the installed wheel, in environments that users have.

Each environment holds a package whose own bounds on ``websockets`` ours must meet; one more holds
the lowest versions that we allow. The environments are made at once, since that is waiting for the
index; the tests run one after the other. What cannot be installed is a failure, the package itself
as well: a bound that nobody looked at holds nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor

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
    built = wheel()

    def install(package: str | None) -> Environment | None:
        name = "lowest" if package is None else re.sub(r"\W+", "-", package).strip("-")
        environment = Environment(f"beside-{name}")
        beside = lowest if package is None else [package]
        return environment if environment.install(built, *beside, *tools) else None

    failed = 0
    every = (*PACKAGES, None)
    with ThreadPoolExecutor(len(every)) as pool:
        for package, environment in zip(every, pool.map(install, every), strict=True):
            print(f"== the wheel beside {package or ', '.join(lowest)}", flush=True)
            if environment is None:
                print("make beside: this cannot be installed", flush=True)
            failed += environment is None or not test(environment)
    return failed


if __name__ == "__main__":
    sys.exit(main())
