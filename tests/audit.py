"""Looks for known vulnerabilities in the installed packages. Run by `make audit` and in CI.

Exits with status 1 if it finds one. If the advisory service can't be reached, or has no advisories for any of
the packages (like some mirrors), it prints that nothing was audited, and exits with status 0.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
COMMAND = ["-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]


def main() -> int:
    command = [sys.executable, *COMMAND, "--requirement", str(ROOT / "requirements-dev.txt")]
    audit = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    line, code = verdict(audit.stdout, audit.stderr)
    print(line)
    return code


def verdict(report: str, problem: str) -> tuple[str, int]:
    """The result of pip-audit's report in words, and the exit status."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        reason = (problem.strip().splitlines() or ["it gave no reason"])[-1]
        return f"audit: NOT DONE, the advisory service can't be reached: {reason[:200]}", 0
    looked_at = [package for package in packages if "skip_reason" not in package]
    holes = [_hole(package, hole) for package in looked_at for hole in package["vulns"]]
    if holes:
        return "\n".join(["audit: known vulnerabilities in pinned packages:", *holes]), 1
    if not looked_at:
        return (
            f"audit: NOT DONE, the package index here has no advisories for any of {len(packages)} packages",
            0,
        )
    unknown = len(packages) - len(looked_at)
    beside = f", {unknown} without advisories" if unknown else ""
    return f"audit: no known vulnerability in {len(looked_at)} packages{beside}", 0


def _hole(package: dict[str, Any], hole: dict[str, Any]) -> str:
    fixed = ", ".join(hole["fix_versions"]) or "no version yet"
    return f"  {package['name']} {package['version']}: {hole['id']}, fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
