"""Conversations that a person has, from the command line."""

from typing import Any


def test_who_has_none(shop: Any) -> None:
    assert shop("handover").records == []
    checked = shop("handover", "check", "+447700900260")
    assert (checked.status, checked.records[0]["open"]) == (1, False)
    closed = shop("handover", "close", "+447700900260", "nobody")
    assert closed.status == 1
    assert "nobody: " in closed.err


def test_what_makes_no_sense(shop: Any) -> None:
    assert "a list takes no numbers" in shop("handover", "list", "+447700900260").err
    assert "name phone numbers" in shop("handover", "close").err
