"""The command line of load tests: every mistake is named, with its mend, and nothing is sent."""

from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.target.arguments import Asked, read

TOKEN = ("--token", "t")


def asked(*words: str) -> Asked:
    return read(command.parser().parse_args(["target", *words]))


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_TOKEN", raising=False)
    monkeypatch.delenv("GATEWAY_ADDRESS", raising=False)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "name one tenant by --token (or GATEWAY_TOKEN), or several by --tenants"),
        ((*TOKEN, "--address", "localhost"), "neither tcp://host:port nor unix:///path"),
        ((*TOKEN, "--mode", "sine"), "invalid choice: 'sine'"),
        ((*TOKEN, "--rate", "0"), "argument --rate: '0' is not a number between"),
        ((*TOKEN, "--rate", "fast"), "argument --rate: 'fast' is not a number"),
        ((*TOKEN, "--rate", "nan"), "argument --rate: 'nan' is not a number"),
        ((*TOKEN, "--seconds", "inf"), "argument --seconds: 'inf'"),
        ((*TOKEN, "--messages", "1.5"), "argument --messages: '1.5' is not a whole number"),
        ((*TOKEN, "--messages", "0"), "argument --messages: '0'"),
        ((*TOKEN, "--text", "greek"), "argument --text: 'greek' is none of one part"),
        ((*TOKEN, "--text", "chinese=no"), "argument --text: 'no' is not a number"),
        ((*TOKEN, "--text", "chinese,chinese"), "argument --text: 'chinese' stands there twice"),
        ((*TOKEN, "--batch", "0=1"), "argument --batch: '0' is not a whole number"),
        ((*TOKEN, "--batch", ""), "argument --batch: '' is not a whole number"),
        ((*TOKEN, "--otp", "5"), "argument --otp: '5' is not a number between 0 and 1"),
        ((*TOKEN, "--loss", "-1"), "--loss"),
        ((*TOKEN, "--category", "spam"), "invalid choice: 'spam'"),
        ((*TOKEN, "--recipients", "nowhere.txt"), "--recipients: 'nowhere.txt' is no file, and no"),
        ((*TOKEN, "--stamps", "2776"), "argument --stamps: '2776' is not HOST:PORT"),
        ((*TOKEN, "--stamps", "host:0"), "argument --stamps: 'host:0' is not HOST:PORT"),
        ((*TOKEN, "--stage", "arrived"), "--stage arrived needs --stamps"),
        ((*TOKEN, "--name", "../x"), "argument --name: '../x' is no name for a file"),
        ((*TOKEN, "--mode", "replay"), "--rate: a replay needs the rate of its busiest minute"),
        ((*TOKEN, "--curve", "x"), "--curve is for --mode replay, not fixed"),
        (
            (*TOKEN, "--mode", "replay", "--rate", "1", "--curve", "nowhere"),
            "--curve: nowhere: No such file",
        ),
        (
            (*TOKEN, "--mode", "ramp", "--rate", "9", "--highest", "5"),
            "--highest: 5 is less than --rate, 9",
        ),
        ((*TOKEN, "--tenants", "nowhere"), "name one tenant by --token"),
        (("--tenants", "nowhere"), "--tenants: nowhere: No such file"),
        ((*TOKEN, "--ca", "nowhere"), "--ca, --cert: No such file"),
    ],
)
def test_a_mistake_is_named(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: object = command.main(["target", *words])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no tokens"),
        ("# nobody\n", "it has no tokens"),
        ("one\ntwo,many\n", "line 2: 'many' is no weight above 0"),
        ("one,0\n", "line 1: '0' is no weight"),
        ("one\none\n", "line 2: this token was there before"),
    ],
)
def test_a_mistake_in_a_file_of_tenants_is_named(
    text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tenants"
    file.write_text(text)
    assert command.main(["target", "--tenants", str(file)]) == 2
    told = capsys.readouterr().err
    assert why in told
    assert "one" not in told.replace("none", "")  # tokens are secret


def test_tenants_have_weights(tmp_path: Path) -> None:
    file = tmp_path / "tenants"
    file.write_text("# ours\none\ntwo , 2.5\n")
    parties = asked("--tenants", str(file)).parties
    assert [(party.target.token, party.weight) for party in parties] == [("one", 1), ("two", 2.5)]


def test_a_token_in_the_environment_gives_way_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "mine")
    file = tmp_path / "tenants"
    file.write_text("one\ntwo\n")
    assert len(asked("--tenants", str(file)).parties) == 2
    assert asked().parties[0].target.token == "mine"


@pytest.mark.parametrize(
    ("words", "seconds", "messages", "p99"),
    [
        ((), 60, 100_000, None),
        (("--mode", "ramp"), 300, 1_000_000, 1.0),
        (("--mode", "replay", "--rate", "10"), 300, 100_000, None),
        (("--seconds", "5", "--messages", "7", "--p99", "0.2"), 5, 7, 0.2),
    ],
)
def test_everything_is_bounded(
    words: tuple[str, ...], seconds: float, messages: int, p99: float | None
) -> None:
    settings = asked(*TOKEN, *words).settings
    assert (settings.seconds, settings.messages, settings.p99) == (seconds, messages, p99)


def test_the_metrics_are_looked_for_beside_the_api() -> None:
    assert asked(*TOKEN, "--address", "tcp://gw:7600").metrics == "http://gw:7601/metrics"
    assert asked(*TOKEN, "--address", "tcp://[::1]:1").metrics == "http://[::1]:7601/metrics"
    assert asked(*TOKEN, "--metrics", "http://x/m").metrics == "http://x/m"


def test_a_token_is_not_stored_with_the_result() -> None:
    assert "secret" not in str(asked("--token", "secret").settings)
