"""``python -m benchmarks [NAME] [options]``: one benchmark, or all of them."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from rich.console import Console

from benchmarks import (
    backlog,
    compare,
    fairness,
    guard,
    latency,
    micro,
    nodes,
    optout,
    peers,
    rules,
    stores,
    throughput,
    turns,
)
from benchmarks.benchmark import WIDTH, Benchmark, run
from benchmarks.options import add_arguments, read
from benchmarks.target import arguments, report
from benchmarks.target import command as target

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "throughput": throughput.BENCHMARK,
    "latency": latency.BENCHMARK,
    "backlog": backlog.BENCHMARK,
    "optout": optout.BENCHMARK,
    "fairness": fairness.BENCHMARK,
    "micro": micro.BENCHMARK,
    "turns": turns.BENCHMARK,
    "rules": rules.BENCHMARK,
    "peers": peers.BENCHMARK,
    "stores": stores.BENCHMARK,
    "nodes": nodes.BENCHMARK,
}

RESULTS: Final = Path(__file__).parent / "results"
VAR: Final = Path(__file__).parent.parent / "var"
"""Not kept: stores, and the results of quick runs."""


def parser() -> ArgumentParser:
    """The command line."""
    common = ArgumentParser(add_help=False)
    common.add_argument("--quick", action="store_true", help="small sizes: all in three minutes")
    common.add_argument("--output", type=Path, metavar="FOLDER", help="where results go")
    common.add_argument(
        "--scratch", type=Path, metavar="FOLDER", default=VAR, help="where stores are made"
    )
    made = ArgumentParser(prog="python -m benchmarks", description=__doc__, parents=[common])
    made.set_defaults(name=None)
    names = made.add_subparsers(title="benchmarks", metavar="NAME")
    for name, benchmark in BENCHMARKS.items():
        one = names.add_parser(name, help=benchmark.about, parents=[common])
        add_arguments(one, type(benchmark.options))
        one.set_defaults(name=name)
    check = names.add_parser("check", help="fail where CPU per message has grown by half")
    check.add_argument("--scratch", type=Path, metavar="FOLDER", default=VAR)
    add_arguments(check, guard.GuardOptions)
    check.set_defaults(name="check")
    load = names.add_parser("target", help="load a gateway that runs already")
    arguments.add(load, VAR / "load-tests")
    load.set_defaults(name="target")
    two = names.add_parser("compare", help="lay two results side by side")
    two.add_argument("results", type=Path, nargs=2, metavar="FILE.json")
    two.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw both, too")
    two.set_defaults(name="compare")
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked for; 1 where the check fails."""
    commands = parser()
    namespace = commands.parse_args(words)
    if namespace.name == "target":
        return target.main(namespace)
    if namespace.name == "compare":
        return _compare(namespace.results, namespace.plot)
    namespace.scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="benchmark-", dir=namespace.scratch) as scratch:
        try:
            return _run(namespace, Path(scratch))
        except msgspec.ValidationError as error:
            return commands.exit(2, f"{commands.prog}: {error}\n")


def _compare(paths: Sequence[Path], plot: Path | None) -> int:
    try:
        one, other = map(compare.load, paths)
        kinds = [
            each.benchmark if each.benchmark in BENCHMARKS else "target" for each in (one, other)
        ]
        if plot is not None and len(set(kinds)) > 1:
            raise ValueError(f"--plot: one is a result of {kinds[0]}, the other of {kinds[1]}")
    except ValueError as error:
        print(f"python -m benchmarks compare: {error}", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    compare.show(one, other, console)
    if plot is not None:
        draw = report.draw if kinds[0] == "target" else BENCHMARKS[kinds[0]].draw
        plot.parent.mkdir(parents=True, exist_ok=True)
        console.print(compare.plot(one, other, draw, plot), highlight=False)
    return 0


def _run(namespace: Namespace, scratch: Path) -> int:
    if namespace.name == "check":
        return guard.check(read(namespace, guard.GuardOptions()), scratch)
    output = namespace.output or (VAR / "benchmarks" if namespace.quick else RESULTS)
    for name, benchmark in BENCHMARKS.items():
        if namespace.name in {None, name}:
            defaults = benchmark.quick if namespace.quick else benchmark.options
            run(name, benchmark, read(namespace, defaults), scratch, output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
