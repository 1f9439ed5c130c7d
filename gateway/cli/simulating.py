"""``gateway simulate``: a carrier to try the gateway against."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import trio
from cyclopts import Parameter, validators

from gateway.cli.output import UsageError, show
from gateway.errors import GatewayError
from gateway.smpp.simulator import SimulatorOptions, Statistics, serve
from gateway.smpp.simulator.options import IdForm, ReceiptForm
from gateway.smpp.status import Status

_DEFAULT: Final = SimulatorOptions()
_PORT: Final = validators.Number(gte=0, lte=65_535)


def simulate(
    *,
    host: str = _DEFAULT.host,
    port: Annotated[int, Parameter(validator=_PORT)] = _DEFAULT.port,
    system_id: str = _DEFAULT.system_id,
    account: Annotated[Sequence[str], Parameter(metavar="NAME=PASSWORD", show_default=False)] = (),
    max_binds: int = _DEFAULT.max_binds,
    enquire_link: float = _DEFAULT.enquire_link,
    seed: int = _DEFAULT.seed,
    latency: float = _DEFAULT.latency,
    latency_jitter: float = _DEFAULT.latency_jitter,
    rate: float = _DEFAULT.rate,
    error: Annotated[Sequence[str], Parameter(metavar="STATUS=SHARE", show_default=False)] = (),
    drop: float = _DEFAULT.drop,
    poison: str = _DEFAULT.poison,
    repeated: float = _DEFAULT.repeated,
    receipt_delay: float = _DEFAULT.receipt_delay,
    receipt_jitter: float = _DEFAULT.receipt_jitter,
    receipt_state: Annotated[
        Sequence[str], Parameter(metavar="STATE=SHARE", show_default=False)
    ] = (),
    receipt_ids: IdForm = _DEFAULT.receipt_ids,
    receipt_form: ReceiptForm = _DEFAULT.receipt_form,
    early_receipts: float = _DEFAULT.early_receipts,
    lost_receipts: float = _DEFAULT.lost_receipts,
    delivery_window: int = _DEFAULT.delivery_window,
    inbound_rate: float = _DEFAULT.inbound_rate,
    inbound_to: str = _DEFAULT.inbound_to,
    first_id: int = _DEFAULT.first_id,
    record: Path | None = None,
    stamp: int | None = None,
    switched: bool = False,
) -> None:
    """Run a simulated carrier (SMSC) with seeded faults.

    Prints where it listens once it does, and after SIGTERM or SIGINT what it has done. Times are in
    seconds, rates per second, shares between 0 and 1.

    Parameters
    ----------
    host
        Where to listen.
    port
        Where to listen; 0 takes a free port.
    system_id
        The carrier's name for itself.
    account
        A system_id that may bind, and its password; repeat for more. Without any, anybody may.
    max_binds
        How many binds one system_id may have.
    enquire_link
        A peer that has said nothing for so long is asked whether it is there, and its connection
        closes where it says nothing for as long again; 0 asks nobody.
    seed
        The same submissions in the same order meet the same fate with the same seed.
    latency
        How long a response takes.
    latency_jitter
        What a response may take on top.
    rate
        Parts taken in a second; the rest get ESME_RTHROTTLED. 0 is unlimited.
    error
        The share of submissions that get this error, ESME_RSYSERR=0.01; repeat for more.
    drop
        The share of submissions that are taken, but whose connection closes before the response.
    poison
        Words at which the connection closes, and whose submission is not taken.
    repeated
        The share of responses that come twice.
    receipt_delay
        How long after the response a receipt comes.
    receipt_jitter
        What a receipt may take on top.
    receipt_state
        The share of messages that end in this state, UNDELIV=0.02; repeat for more. What is left is
        DELIVRD.
    receipt_ids
        How the ids in responses and in receipts are written.
    receipt_form
        Where in a receipt its content stands.
    early_receipts
        The share of receipts that come before the response does.
    lost_receipts
        The share of receipts that never come.
    delivery_window
        How many receipts and texts from phones may be unanswered on one bind.
    inbound_rate
        Texts from phones; one in ten is an opt-out.
    inbound_to
        Our number that phones text.
    first_id
        The number of the first message.
    record
        A file to which what is taken is added, one JSON object a line.
    stamp
        A port on which load testers are told when messages came; 0 takes a free port.
    switched
        Have no faults, and phones that text nobody, until SIGUSR1; the next one ends them again.
    """
    try:
        options = SimulatorOptions(
            host=host,
            port=port,
            system_id=system_id,
            accounts=_pairs("account", account),
            max_binds=max_binds,
            enquire_link=enquire_link,
            seed=seed,
            latency=latency,
            latency_jitter=latency_jitter,
            rate=rate,
            errors=_shares("error", error),
            drop=drop,
            poison=poison,
            repeated=repeated,
            receipt_delay=receipt_delay,
            receipt_jitter=receipt_jitter,
            receipt_states=_shares("receipt-state", receipt_state),
            receipt_ids=receipt_ids,
            receipt_form=receipt_form,
            early_receipts=early_receipts,
            lost_receipts=lost_receipts,
            delivery_window=delivery_window,
            inbound_rate=inbound_rate,
            inbound_to=inbound_to,
            first_id=first_id,
            record=None if record is None else str(record),
            stamp=stamp,
        )
    except ValueError as fault:
        raise UsageError(str(fault)) from fault
    trio.run(_run, options, switched)


async def _run(options: SimulatorOptions, switched: bool) -> None:
    habits, others = (options.well(), options) if switched else (options, options.well())
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGUSR1) as signals:
        async with trio.open_nursery() as nursery:
            try:
                simulator = await nursery.start(serve, habits)
            except OSError as error:
                where = error.filename or f"{options.host}:{options.port}"
                raise GatewayError(f"{where}: {error.strerror}") from error
            print(f"listening on {simulator.host}:{simulator.port}", flush=True)
            if simulator.stamp_port is not None:
                print(f"stamps on {simulator.host}:{simulator.stamp_port}", flush=True)
            async for number in signals:
                if number != signal.SIGUSR1:
                    break
                habits, others = others, habits
                simulator.behave(habits)
                print("as told" if habits is options else "without faults", flush=True)
            nursery.cancel_scope.cancel()
    show([_told(simulator.statistics())])


def _told(statistics: Statistics) -> dict[str, Any]:
    submits = {Status(code).name: n for code, n in sorted(statistics.submits.items())}
    counts = {name: getattr(statistics, name) for name in statistics.__struct_fields__}
    return {**counts, "submits": submits}


def _pairs(name: str, texts: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise UsageError(f"--{name}: {text!r} is not NAME=VALUE")
        pairs[key] = value
    return pairs


def _shares(name: str, texts: Sequence[str]) -> dict[str, float]:
    shares = {}
    for key, value in _pairs(name, texts).items():
        try:
            shares[key] = float(value)
        except ValueError:
            raise UsageError(f"--{name}: {value!r} is not a share between 0 and 1") from None
    return shares
