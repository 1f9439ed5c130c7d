"""``make lint``: looks up known vulnerabilities of everything in ``requirements.lock``.

pip-audit asks PyPI for them. Where it cannot (offline, or behind a mirror that does not have them)
this says so and passes, within seconds: whether code can be merged must not depend on the network.
"""

import json
import subprocess
import sys
from typing import Any, Final

COMMAND: Final = (
    sys.executable,
    "-m",
    "pip_audit",
    "--requirement=requirements.lock",
    "--disable-pip",
    "--require-hashes",
    "--format=json",
    "--progress-spinner=off",
    "--timeout=3",
)
PATIENCE: Final = 45.0
"""Seconds for all of it; where PyPI answers, fifty packages take ten."""


def main() -> int:
    try:
        done = subprocess.run(  # noqa: S603 - the words are all our own
            COMMAND, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return _not_audited(f"no answer within {PATIENCE:g} s")
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return _not_audited((done.stderr.splitlines() or ["pip-audit said nothing"])[-1])
    audited = [one for one in packages if "vulns" in one]
    skipped = [one for one in packages if "skip_reason" in one]
    if not audited:
        return _not_audited(skipped[0]["skip_reason"] if skipped else "nothing to look up")
    for one in skipped:
        print(f"not audited: {one['name']}: {one['skip_reason']}")
    found = [(one, flaw) for one in audited for flaw in one["vulns"]]
    for one, flaw in found:
        mend = f"mended in {', '.join(flaw['fix_versions'])}" if flaw["fix_versions"] else "no mend"
        print(f"{one['name']} {one['version']}: {flaw['id']}; {mend}")
    print(f"{len(audited)} dependencies audited, {len(found)} known vulnerabilities")
    return 1 if found else 0


def _not_audited(why: str) -> int:
    print(f"dependencies not audited: {why[:200]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
