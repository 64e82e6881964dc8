"""Build what is released, and try the wheel as users have it: ``make release``.

The wheel is built from the sdist, so that the sdist is complete. It is installed alone into an
empty environment, and with the lowest versions that it allows into another; in both a program
streams an answer from a scripted server. What it needs is written as a bill of materials (CycloneDX
1.5) with the hash of the wheel. Nothing is uploaded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from tools.environments import ROOT, Environment, lowest_versions, run

DIST: Final = ROOT / "dist"
#: Runs anywhere, also where nothing but the wheel is installed.
PROGRAM: Final = ROOT / "tools" / "smoke.py"


def build() -> tuple[Path, Path]:
    """Build the sdist, and the wheel of what is in it."""
    shutil.rmtree(DIST, ignore_errors=True)
    hatchling = (sys.executable, "-m", "hatchling", "build", "-d", str(DIST), "-t")
    if not run(*hatchling, "sdist"):
        raise SystemExit("the sdist could not be built")
    (sdist,) = DIST.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (source,) = Path(folder).iterdir()
        if subprocess.run([*hatchling, "wheel"], cwd=source, check=False).returncode != 0:
            raise SystemExit("the wheel could not be built of the sdist")
    (wheel,) = DIST.glob("*.whl")
    return sdist, wheel


def bill_of_materials(wheel: Path, installed: list[dict[str, str]]) -> dict[str, Any]:
    """Return what the wheel is and what was installed with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    itself = f"pkg:pypi/{project['name']}@{project['version']}"
    others = [each for each in installed if each["name"] != project["name"]]
    purls = [f"pkg:pypi/{each['name'].lower()}@{each['version']}" for each in others]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": itself,
                "purl": itself,
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
                "hashes": [
                    {"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}
                ],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": purl,
                "purl": purl,
                "name": each["name"],
                "version": each["version"],
            }
            for each, purl in zip(others, purls, strict=True)
        ],
        "dependencies": [{"ref": itself, "dependsOn": purls}],
    }


def main() -> None:
    """Build, try, and write the bill."""
    sdist, wheel = build()
    blank = Environment("release-blank")
    lowest = Environment("release-lowest")
    for environment, others in ((blank, []), (lowest, lowest_versions())):
        if not environment.install(str(wheel), *others):
            raise SystemExit("the wheel cannot be installed")
        if not environment.run(str(PROGRAM)):
            raise SystemExit("the installed wheel does not work")
    bill = DIST / f"{wheel.stem}.cdx.json"
    bill.write_text(json.dumps(bill_of_materials(wheel, blank.packages()), indent=2) + "\n")
    for path in (sdist, wheel, bill):
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
