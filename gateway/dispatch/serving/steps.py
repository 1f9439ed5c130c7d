"""What happens to a message on its way, noted on the message itself, for whoever asks later why it
went when it did (`gateway.dispatch.serving.explaining`). Most messages have nothing of the kind."""

from typing import Final

import msgspec

from gateway.message import Message, Step

MOST: Final = 12
"""Steps that a message keeps: the first, and the latest of the others."""


def put_off(message: Message, rule: str, until: float, at: float, why: str = "") -> Message:
    """The message, which waits until a moment because of a rule."""
    step = Step(at, "deferred", rule, until, why)
    return msgspec.structs.replace(message, due=until, steps=_with(message.steps, step))


def refused(message: Message, carrier: str, status: str, at: float) -> Message:
    """The message, which a carrier did not take, and which goes again."""
    step = Step(at, "refused", carrier, None, status)
    return msgspec.structs.replace(message, steps=_with(message.steps, step))


def _with(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    kept = steps if len(steps) < MOST else (steps[0], *steps[2:])
    return (*kept, step)
