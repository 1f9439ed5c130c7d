"""The admin HTTP server: who may ask (`gate`), what of it there is as JSON (`api`), and the server
itself (`serving`, which is imported by its name: it knows the console, and that knows these)."""

from gateway.ops.admin.gate import NAMELESS, asked_from_here
from gateway.ops.admin.options import AdminOptions, AdminToken, Health

__all__ = ["NAMELESS", "AdminOptions", "AdminToken", "Health", "asked_from_here"]
