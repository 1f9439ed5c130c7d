from collections import Counter
from typing import Any

import pytest

from gateway.smpp.simulator import SimulatorOptions
from gateway.smpp.simulator import carrier as carrier_module


def test_phones_text_and_some_opt_out(make: Any) -> None:
    carrier = make.carrier(inbound_to="10690001", seed=3)
    texts = [carrier.text() for _ in range(500)]
    assert {text.destination_addr for text in texts} == {"10690001"}
    assert len({text.source_addr for text in texts}) > 400
    said = Counter(
        (
            text.source_addr[:2],
            text.short_message.decode("utf-16-be" if text.data_coding == 8 else "ascii"),
        )
        for text in texts
    )
    assert said.keys() >= {("44", "STOP"), ("86", "退订"), ("44", "Hello"), ("86", "Hello")}
    optouts = {
        (phone[:2], word): said[phone[:2], word]
        for phone, words in carrier_module.OPTOUTS.items()
        for word in words
    }
    assert 25 < sum(optouts.values()) < 80
    others = said.keys() - optouts.keys()
    assert not {word for _, word in others} & {word for _, word in optouts}
    again = make.carrier(inbound_to="10690001", seed=3)
    assert [again.text() for _ in range(500)] == texts


def test_accounts_are_bounded_where_anybody_may_bind(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_module, "MAX_ACCOUNTS", 2)
    carrier = make.carrier()
    assert [carrier.admit(name, "")[0] for name in ("a", "b", "c", "a")] == [0, 0, 0x0F, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"errors": {"RSYSERR": 0.1}}, "errors: RSYSERR: no such name"),
        ({"receipt_states": {"DELIVERD": 0.1}}, "receipt_states: DELIVERD: no such name"),
        ({"errors": {"ESME_RSYSERR": 0.6, "ESME_RMSGQFUL": 0.5}}, "errors: the shares"),
        ({"receipt_states": {"UNDELIV": -0.1}}, "receipt_states: the shares"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulatorOptions(**options)


def test_shares_may_sum_to_one() -> None:
    names = ["ESME_RSYSERR", "ESME_RMSGQFUL", "ESME_RINVDSTADR", "ESME_RINVSRCADR"]
    names += ["ESME_RSUBMITFAIL", "ESME_RX_T_APPN", "ESME_RX_P_APPN", "ESME_RX_R_APPN"]
    names += ["ESME_RINVDCS", "ESME_RUNKNOWNERR"]
    SimulatorOptions(errors=dict.fromkeys(names, 0.1))
