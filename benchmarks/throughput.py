"""End to end with everything on: accepted durably, judged, submitted, receipt matched, event
acknowledged. Prints the rate and the CPU time per message of each process."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.processes import TOKEN, gateway, usage


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--kind", choices=["short", "long", "chinese"], default="short")
    parser.add_argument("--binds", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"{'messages/s':>12} {'accepted/s':>12}   CPU µs per message: gateway, carrier, load")
    for _ in range(options.repeats):
        print(run(options))


def run(options: argparse.Namespace) -> str:
    """One run on an empty store."""
    with (
        tempfile.TemporaryDirectory() as folder,
        gateway(Path(folder), binds=options.binds) as running,
    ):
        before = usage(running.pid).cpu, usage(running.carrier_pid).cpu
        output = subprocess.run(
            [
                sys.executable, "-m", "benchmarks.load", "--address", running.address,
                "--token", TOKEN, "--messages", str(options.messages),
                "--batch", str(options.batch), "--kind", options.kind,
            ],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout  # fmt: skip
        figures = json.loads(output)
        each = 1e6 / options.messages
        gateway_cpu = (usage(running.pid).cpu - before[0]) * each
        carrier_cpu = (usage(running.carrier_pid).cpu - before[1]) * each
        return (
            f"{figures['rate']:12,.0f} {figures['accept_rate']:12,.0f}   "
            f"{gateway_cpu:8.1f} {carrier_cpu:8.1f} {figures['cpu_seconds'] * each:8.1f}"
            f"   {usage(running.pid).resident:6.0f} MB  {figures['outcomes']}"
        )


if __name__ == "__main__":
    main()
