"""Reads decisions off the octets that a fuzzer makes up, so that one input can steer a test."""


class Tape:
    """Octets to be read once, from the front. Where they end, zeros follow."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def over(self) -> bool:
        return self._at >= len(self._data)

    def octet(self) -> int:
        self._at += 1
        return 0 if self._at > len(self._data) else self._data[self._at - 1]

    def piece(self) -> bytes:
        """An octet that says how many follow, and those."""
        start = self._at + 1
        self._at = start + self.octet()
        return self._data[start : self._at]

    def rest(self) -> bytes:
        start, self._at = self._at, len(self._data)
        return self._data[start:]
