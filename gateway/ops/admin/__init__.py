"""The admin HTTP server: who may ask (`gate`), what of it there is as JSON (`api`), and the server
itself (`serving`)."""

from gateway.ops.admin.gate import NAMELESS, asked_from_here
from gateway.ops.admin.options import AdminOptions, AdminToken, Health
from gateway.ops.admin.serving import serve

__all__ = ["NAMELESS", "AdminOptions", "AdminToken", "Health", "asked_from_here", "serve"]
