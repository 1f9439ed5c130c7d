"""Load against a gateway that runs already: ``python -m benchmarks target``.

Everything is in an open loop: messages leave at their appointed times whatever the gateway does,
and every latency counts from those times, so that a stall counts for all that it delays. What is
pure stands apart: `schedule` (when messages are due), `ramp` (which rate is tried next), `traffic`
(what is sent, and to whom), `fictional` (numbers of no phone), `caution` (whether carriers are
simulated), `tally` (what became of it). `arguments` and `values`
read the command line, `reach` and `driver` have the sockets, `report` is what is told.
"""
