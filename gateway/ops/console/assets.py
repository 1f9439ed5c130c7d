"""What pages are made of that never changes while the gateway runs: scripts, styles, the icon. Read
once, served with their hash as ETag: a browser that asks again is told that nothing has changed."""

import hashlib
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

_KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Content types of what is served; licences and the like lie beside it and are not."""


class Asset(msgspec.Struct, frozen=True):
    """A file to serve."""

    body: bytes
    kind: str
    etag: str


class Assets:
    """All files below ``static``, by their path there."""

    def __init__(self) -> None:
        self._found = dict(_read())

    async def serve(self, request: Request) -> Response:
        """One of them, or that it has not changed."""
        asset = self._found.get(request.path_params["path"])
        if asset is None:
            return Response("There is no such file.\n", 404, media_type="text/plain")
        headers = {"etag": asset.etag, "cache-control": "no-cache"}
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.body, headers={**headers, "content-type": asset.kind})


def _read() -> list[tuple[str, Asset]]:
    root = files("gateway.ops.console") / "static"
    found = []
    for folder, prefix in ((root, ""), (root / "vendor", "vendor/")):
        for entry in folder.iterdir():
            kind = _KINDS.get(PurePosixPath(entry.name).suffix)
            if kind is not None:
                body = entry.read_bytes()
                etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
                found.append((prefix + entry.name, Asset(body, kind, etag)))
    return found
