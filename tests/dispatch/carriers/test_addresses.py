"""Which kind of address a sender is."""

import pytest

from gateway.dispatch.carriers.addresses import sender_kind


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("447400123456", "international"),
        ("12025550123", "international"),
        ("8613912345678", "international"),
        ("10690001", "national"),  # no country code begins so
        ("1069000", "national"),
        ("01712345678", "national"),
        ("106900", "short_code"),
        ("1069", "short_code"),
        ("Acme", "alphanumeric"),
        ("Acme 24", "alphanumeric"),
        ("24Acme", "alphanumeric"),
    ],
)
def test_the_kind_of_a_sender_is_told_by_its_form(sender: str, kind: str) -> None:
    assert sender_kind(sender) == kind
