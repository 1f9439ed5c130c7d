"""A carrier to test against: an SMSC that answers, delays, refuses, drops and reports on a seed.

`serve` runs it. What it does to a message is decided in `carrier`, what a receipt looks like in
`receipt`; `server` holds the sockets and the timers. It keeps nothing on disk but, where asked, a
`record` of what it took. It is a driver: it may read the clock and draw random numbers.
"""

from gateway.smpp.simulator.carrier import Statistics
from gateway.smpp.simulator.options import SimulatorOptions
from gateway.smpp.simulator.server import Simulator, serve

__all__ = ["Simulator", "SimulatorOptions", "Statistics", "serve"]
