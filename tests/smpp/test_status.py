import pytest
import smpplib.consts

from gateway.smpp.status import Status, status_name


def test_numbers_and_names_are_those_of_smpplib() -> None:
    theirs = {
        name.removeprefix("SMPP_"): number
        for name, number in vars(smpplib.consts).items()
        if name.startswith("SMPP_ESME_")
    }
    assert {status.name: status.value for status in Status if status < 0x100} == theirs


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (0, "ESME_ROK"),
        (0x58, "ESME_RTHROTTLED"),
        (0x104, "ESME_RINVDCS"),
        (0x400, "0x00000400"),
        (0xFFFFFFFF, "0xFFFFFFFF"),
    ],
)
def test_status_name(status: int, name: str) -> None:
    assert status_name(status) == name
