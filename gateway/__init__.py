"""An SMS gateway: batches of messages in over msgpack, SMPP out, one outcome for every message."""


def __getattr__(name: str) -> str:
    # What reads the version takes longer than a small command does, and few want to know it.
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import version  # noqa: PLC0415

    return version("gateway")
