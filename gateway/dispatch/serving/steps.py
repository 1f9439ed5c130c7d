"""What happens to a message on its way, noted on the message itself, for whoever asks later why it
went when it did (`gateway.dispatch.serving.explaining`). Most messages have nothing of the kind:
what a carrier was given last, and what it said, is kept beside the outcome
(`gateway.message.Submission`)."""

from typing import Final

import msgspec

from gateway.message import Handed, Message, Step

MOST: Final = 12
"""Steps that a message keeps: the first, and the latest of the others."""


def put_off(
    message: Message, rule: str, until: float, at: float, why: str = "", config: str = ""
) -> Message:
    """The message, which waits until a moment because of a rule, by a configuration."""
    step = Step(at, "deferred", rule, until, why, _decided(message, at, config))
    return msgspec.structs.replace(message, due=until, steps=_with(message.steps, step))


def judged(message: Message, rule: str, at: float, config: str) -> Message:
    """The message, which a rule has end, where another configuration than the one that accepted
    it decides so; the outcome tells the rest."""
    decided = _decided(message, at, config)
    if decided is None:
        return message
    step = Step(at, "judged", rule, None, "", decided)
    return msgspec.structs.replace(message, steps=_with(message.steps, step))


def refused(
    message: Message, carrier: str, status: str, at: float, handed: Handed | None = None
) -> Message:
    """The message, which a carrier did not take that got it so, and which goes again."""
    step = Step(at, "refused", carrier, None, status, handed)
    return msgspec.structs.replace(message, steps=_with(message.steps, step))


def _decided(message: Message, at: float, config: str) -> Handed | None:
    return Handed(at, "", "", config) if config not in ("", message.config) else None


def _with(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    kept = steps if len(steps) < MOST else (steps[0], *steps[2:])
    return (*kept, step)
