"""An SMS gateway: batches of messages in over msgpack, SMPP out, one outcome for every message."""

from importlib.metadata import version

__version__ = version("gateway")
