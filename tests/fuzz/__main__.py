"""``make fuzz``: every target under atheris, one after the other, for FUZZ_SECONDS each.

``python -m tests.fuzz [TARGET…]`` fuzzes some of them. What is new to a target is kept in
``var/fuzz/corpus`` for the next time, what breaks one in ``var/fuzz/found``. Ends with 1 where
something was found, and with 0 and a word where there is no atheris for this machine.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.fuzz.targets import TARGETS

HERE: Final = Path(__file__).parent
VAR: Final = Path("var/fuzz")

LIMITS: Final = (
    "-max_len=4096",
    "-timeout=10",  # seconds for one input; a hundred times what any is known to take
    "-rss_limit_mb=1024",  # the interpreter with all modules and the corpus has 200
    "-print_final_stats=1",
)


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target; whether it held."""
    corpus, found = VAR / "corpus" / name, VAR / "found" / name
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    seeds = [str(HERE / folder / name) for folder in ("seeds", "regressions")]
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.harness",
        name,
        *LIMITS,
        f"-max_total_time={seconds}",
        f"-artifact_prefix={found}/",
        str(corpus),
        *filter(os.path.isdir, seeds),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executions = re.findall(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    count = f"{int(executions[-1]):>12,} executions" if executions else "no executions"
    print(f"{name:16}{count}", flush=True)
    if done.returncode == 0:
        return True
    print(
        done.stdout,
        *re.findall(r"^.*(?:Error|ERROR|SUMMARY).*$", done.stderr, re.MULTILINE),
        sep="\n",
    )
    for case in sorted(set(found.iterdir()) - before):
        print(f"kept as {case}; once mended, move it to tests/fuzz/regressions/{name}/")
    return False


def main(names: list[str]) -> int:
    if importlib.util.find_spec("atheris") is None:
        print("not fuzzed: atheris has no build for this machine (make test fuzzes a little)")
        return 0
    unknown = set(names) - TARGETS.keys()
    if unknown:
        print(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
        return 2
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    held = [fuzz(name, seconds) for name in names or TARGETS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
