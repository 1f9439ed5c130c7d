"""Every command as a person at a shell would use it."""

import csv
import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import KIOSK

Run = Callable[..., Any]

BAD = """\
[api]
listen = ["here"]
[[tenants]]
id = "shop"
token_sha256 = ["abc"]
senders = ["10690001"]
[[carriers]]
id = "alpha"
host = "127.0.0.1"
system_id = "shop"
windw = 64
"""


# --- for operators ---


def test_without_a_command_the_commands_are_listed_with_what_they_do(run: Run) -> None:
    ended = run()
    assert ended.status == 0
    assert "serve: Run the gateway." in ended.out
    assert "events: Print events as lines of JSON, and acknowledge them." in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("bogus",),
        ("serve",),
        ("send", "--token", "t"),
        ("send", "a.csv", "--to", "4477", "--token", "t"),
        ("send", "--to", "4477", "--text", "x", "--send-at", "soon", "--token", "t"),
        ("status", "--token", "t"),
        ("status", "x", "--token", "t", "--address", "nowhere"),
        ("cancel", "x", "--campaign", "y", "--token", "t"),
        ("optout", "add", "--token", "t"),
        ("events", "--until-idle", "0", "--token", "t"),
        ("simulate", "--error", "ESME_NOSUCH=0.1"),
        ("simulate", "--error", "ESME_RSYSERR"),
        ("simulate", "--error", "ESME_RSYSERR=often"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_in_one_line(run: Run, arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err.startswith("gateway: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("token", [("--token", KIOSK), (f"--token={KIOSK}",)])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (("--text", "-50% today"), "-50% today"),
        (("--text=-50% today",), "-50% today"),
        (("--text", "- one\n- two"), "- one\n- two"),
        (("--text", "-"), "-"),
        (("--text", "-5"), "-5"),
        (("--text", "-- now"), "-- now"),
        (("--text=--to",), "--to"),
    ],
)
def test_a_value_may_begin_with_a_hyphen(
    shop: Run, token: tuple[str, ...], text: tuple[str, ...], shown: str
) -> None:
    to = "+447700900119"
    key = f"-{len(token)}{len(text)}{shown}"
    sent = shop("send", "--to", to, *text, "--key", key, *token)
    assert (sent.status, sent.err) == (0, "")
    again = shop("send", "--to", to, f"--text={shown}", f"--key={key}", *token)
    assert again.records == [{**sent.records[0], "duplicate": True}]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "4477", "--text", "--campaign", "spring", "--token", "t"),
        ("--to", "4477", "--text", "--campaing", "--token", "t"),
        ("--to", "4477", "--text", "--campaing=spring", "--token", "t"),
        ("--to", "4477", "--text", "Hi", "--token", "--tls"),
        ("--to", "4477", "--text", "Hi", "--token"),
    ],
)
def test_a_value_that_was_forgotten_is_not_the_option_behind_it(
    run: Run, arguments: tuple[str, ...]
) -> None:
    ended = run("send", *arguments)
    assert (ended.status, ended.out) == (2, "")
    option = "--token" if "Hi" in arguments else "--text"
    assert ended.err == (
        f'gateway: Command "send" parameter {option} requires an argument. '
        f"One that begins with -- is given as {option}=--...\n"
    )


def test_a_token_is_new_each_time_and_comes_with_its_hash(run: Run) -> None:
    (first,), (second,) = run("token").records, run("token").records
    assert first["token"] != second["token"]
    assert first["token_sha256"] == hashlib.sha256(first["token"].encode()).hexdigest()


def test_a_token_never_looks_like_an_option(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["-abc", "--", "a-bc"])
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: next(made))
    assert run("token").records[0]["token"] == "a-bc"


def test_on_a_terminal_results_are_for_people() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gateway", "token"]
    subprocess.run(command, stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1000).split()
    os.close(ours)
    assert shown[::2] == [b"token", b"token_sha256"]


def test_check_finds_no_mistakes_in_the_sample(run: Run) -> None:
    sample = Path(__file__).parents[2] / "config" / "gateway.toml"
    ended = run("check", "--config", str(sample))
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == f"{sample}: no mistakes found"


def test_check_tells_who_may_send_what(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    tenant = '[[tenants]]\nid = "{}"\ntoken_sha256 = []\n'
    carrier = '[[carriers]]\nid = "alpha"\nhost = "h"\nsystem_id = "s"\npassword = "p"\n'
    file.write_text(
        tenant.format("bank")
        + 'senders = ["Bank", "10690001"]\ncategories = ["otp"]\ncategory = "otp"\n'
        + tenant.format("shop")
        + 'senders = ["*"]\nnumbers = []\ncategories = ["marketing", "transactional"]\n'
        + tenant.format("any")
        + f"senders = {[str(number) for number in range(10690002, 10690009)]}\n"
        + carrier
    )
    first = ", ".join(str(number) for number in range(10690002, 10690007))
    lines = run("check", "--config", str(file)).out.splitlines()
    told = [line for line in lines if line.startswith("tenant ")]
    assert told == [
        "tenant bank: sends otp (its default) from Bank, 10690001",
        "tenant shop: sends transactional, marketing (its default) from any sender",
        f"tenant any: sends otp, transactional, marketing (its default) from {first}, 2 more",
    ]


def test_check_tells_every_mistake_at_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(BAD)
    ended = run("check", "--config", str(file))
    assert ended.status == 1
    places = {line.partition(":")[0] for line in ended.out.splitlines()}
    assert {"api.listen[0]", "tenants[0].token_sha256[0]", "carriers[0].windw"} <= places


def test_check_warns_of_what_is_hardly_meant_and_passes(run: Run, tmp_path: Path) -> None:
    sample = (Path(__file__).parents[2] / "config" / "gateway.toml").read_text()
    file = tmp_path / "hardly.toml"
    file.write_text(sample.replace('sunday = "closed"\n', ""))
    ended = run("check", "--config", str(file))
    assert ended.status == 0
    warning, *_, last = ended.out.splitlines()
    assert warning.startswith("warning: policy.quiet_hours.regions.FR: ")
    assert last == f"{file}: no mistakes found"


def test_serve_refuses_a_bad_configuration_without_a_traceback(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(BAD)
    ended = run("serve", "--config", str(file))
    assert ended.status == 2
    assert all(line.startswith("gateway: ") for line in ended.err.splitlines())
    assert "gateway: api.listen[0]: " in ended.err
    assert list(tmp_path.iterdir()) == [file]


def test_serve_says_why_it_cannot_start(folder: Path) -> None:
    command = [sys.executable, "-m", "gateway", "serve", f"--config={folder}/gateway.toml"]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr.startswith(f"gateway: {folder}/gateway.db: ")
    assert second.stderr.count("\n") == 1


def test_simulate_tells_its_port_and_in_the_end_what_it_did() -> None:
    command = [sys.executable, "-m", "gateway", "simulate", "--port", "0", "--stamp", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on 127.0.0.1:")
        assert process.stdout.readline().startswith("stamps on 127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        statistics = json.loads(process.stdout.readline())
    assert process.returncode == 0
    assert statistics["submits"] == {}


# --- for tenants ---


def test_a_message_is_sent_and_its_key_tells_what_became_of_it(shop: Run) -> None:
    sent = shop("send", "--to", "+447700900101", "--text", "Hello", "--key", "one")
    again = shop("send", "--to", "+447700900101", "--text", "Hello", "--key", "one")
    (status,) = shop("status", "--key", "one").records
    assert sent.status == again.status == 0
    assert again.records == [{**sent.records[0], "duplicate": True}]
    assert status["message_id"] == sent.records[0]["message_id"]
    assert status["to"] == "447700900101"


def test_a_refused_message_fails_with_its_code(shop: Run) -> None:
    ended = shop("send", "--to", "nobody", "--text", "Hello")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("gateway: refused: invalid_recipient: ")


def test_refused_rows_are_written_so_that_they_can_be_mended_and_sent(
    shop: Run, tmp_path: Path
) -> None:
    file, refused = tmp_path / "list.csv", tmp_path / "refused.csv"
    file.write_text("to,text,send_at\n+447700900102,Hi,\nnobody,Hi,\n+447700900103,Hi,noon\n")
    ended = shop("send", str(file), "--refused", str(refused), "--campaign", "spring")
    (summary,) = ended.records
    assert ended.status == 1
    assert (summary["accepted"], summary["refused"]) == (1, 2)
    assert summary["codes"] == {"bad_row": 1, "invalid_recipient": 1}
    with refused.open(newline="") as written:
        rows = sorted((row["#line"], row["#code"], row["to"]) for row in csv.DictReader(written))
    assert rows == [("3", "invalid_recipient", "nobody"), ("4", "bad_row", "+447700900103")]

    mended = refused.read_text().replace(",nobody,", ",+447700900104,").replace(",noon", ",")
    refused.write_text(mended)
    ended = shop("send", str(refused))
    assert ended.status == 0
    assert ended.records[0]["accepted"] == 2


def test_without_a_file_for_them_refusals_are_told_up_to_a_point(shop: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("to\n" + "nobody\n" * 1500 + "+447700900105\n")
    ended = shop("send", str(file), "--text", "Hello all")
    told = ended.err.splitlines()
    assert told[0].startswith("line 2: invalid_recipient: ")
    assert told[20:] == ["more are refused; --refused FILE takes them all"]
    assert ended.records[0]["accepted"] == 1
    assert ended.records[0]["refused"] == 1500


def test_columns_that_are_wrong_refuse_the_file_before_anything_is_sent(
    shop: Run, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("to,txt\n+447700900102,Hi\n")
    ended = shop("send", str(file))
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == ("gateway: line 1: 'txt' is no field of a message; did you mean 'text'?\n")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "gb18030"])
def test_a_file_from_a_spreadsheet_sends_its_texts_as_they_are(
    shop: Run, tmp_path: Path, codec: str
) -> None:
    file, text = tmp_path / "list.csv", "【优衣库】双十一大促;\n全场五折起 退订回T"
    file.write_text(f'To;Text;Key;\r\n="447700900120";"{text}";{codec};\r\n;;;\r\n', codec)
    assert shop("send", str(file)).records[0]["accepted"] == 1
    again = ("send", "--to", "+447700900120", "--key", codec)
    assert shop(*again, "--text", text.replace("\n", "\r\n")).status == 1
    assert shop(*again, "--text", text).records[0]["duplicate"] is True


def test_a_file_waits_where_the_queue_is_full(kiosk: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("to\n" + "".join(f"+447400{number:06}\n" for number in range(350)))
    ended = kiosk("send", str(file), "--text", "Hello all")
    assert (ended.status, ended.records[0]["accepted"]) == (0, 350)
    assert ended.err == "the queue is full: waiting for room, until Ctrl-C\n"
    quoted = kiosk("quote", str(file), "--text", "Hello all").records[0]
    assert quoted["accepted"] + quoted["codes"].get("queue_full", 0) == 350


def test_who_has_waited_enough_is_told_what_was_not_sent(kiosk: Run, tmp_path: Path) -> None:
    file, refused = tmp_path / "list.csv", tmp_path / "refused.csv"
    file.write_text("to\n" + "".join(f"+447400{number:06}\n" for number in range(250)))
    later = ["--text", "x", "--campaign", "stuck", "--send-at", str(time.time() + 3600)]
    command = [sys.executable, "-m", "gateway", "send", str(file), *later]
    with subprocess.Popen(
        [*command, "--refused", str(refused)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline() == "the queue is full: waiting for room, until Ctrl-C\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=180)
    kiosk("cancel", "--campaign", "stuck")
    summary = json.loads(out)
    assert process.returncode == 130
    assert summary["accepted"] + summary["codes"]["queue_full"] == 250
    assert err == "gateway: not read from line 252 on\n"
    assert len(refused.read_text().splitlines()) == 1 + summary["refused"]


def test_a_file_that_was_cancelled_and_is_sent_again_says_so(shop: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"to,key,send_at\n+447700900117,again,{time.time() + 3600}\n")
    send = ("send", str(file), "--text", "Later", "--campaign", "autumn")
    assert shop(*send).records[0]["deferred"] == 1
    shop("cancel", "--campaign", "autumn")
    ended = shop(*send)
    assert ended.status == 0
    assert ended.records[0]["duplicates"] == 1
    assert ended.records[0]["ended"] == {"cancelled": 1}
    assert ended.err.startswith("line 2: the message ")
    assert ended.err.endswith(
        "was cancelled and is not sent again: to send it, submit it under another key\n"
    )


def test_the_file_that_is_sent_is_not_written_over(shop: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("to,text\nnobody,Hi\n")
    ended = shop("send", str(file), "--refused", str(file))
    assert ended.status == 2
    assert ended.err == f"gateway: --refused: {file} is the file to be read: name another\n"
    assert file.read_text() == "to,text\nnobody,Hi\n"


def test_a_quote_tells_the_parts_and_sends_nothing(shop: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"to,text,key\n+447700900106,{'好' * 71},quoted\n+447700900107,Hi,\n")
    assert shop("quote", str(file)).records[0]["parts"] == 3
    ended = shop("status", "--key", "quoted")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "gateway: quoted: not known\n"
    (quote,) = shop("quote", "--to", "+447700900106", "--text", "好").records
    assert quote == {"parts": 1, "encoding": "ucs2", "to": "447700900106", "region": "GB"}


def test_a_quote_sums_up_by_country(shop: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    numbers = ["+447700900106", "13912345678", "139 1234 5679", "+14165550123", "+870773123456"]
    long = "好" * 71
    file.write_text("to,text\n" + "".join(f"{number},{long}\n" for number in numbers) + "12,Hi\n")
    ended = shop("quote", str(file), "--region", "CN", "--refused", str(tmp_path / "refused.csv"))
    assert ended.status == 1
    total, *countries = ended.records
    assert (total["accepted"], total["parts"], total["refused"]) == (5, 10, 1)
    assert countries == [
        {"region": "CN", "messages": 2, "parts": 4},
        {"region": "GB", "messages": 1, "parts": 2},
        {"region": "CA", "messages": 1, "parts": 2},
        {"region": None, "messages": 1, "parts": 2},
    ]


def test_a_national_number_goes_to_the_region_that_is_named(shop: Run) -> None:
    ended = shop("quote", "--to", "139 1234 5678", "--text", "Hi", "--region", "CN")
    (quote,) = ended.records
    assert (quote["to"], quote["region"]) == ("8613912345678", "CN")
    ended = shop("quote", "--to", "139 1234 5678", "--text", "Hi")
    assert ended.status == 1
    assert ended.err.startswith("gateway: refused: invalid_recipient: to: '139 1234 5678' ")
    assert "default_region" in ended.err
    ended = shop("send", "--to", "139 1234 5678", "--text", "Hi", "--region", "US")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("gateway: --to: '139 1234 5678' is neither a number of US")


def test_a_campaign_can_be_cancelled_before_its_time(shop: Run) -> None:
    later = ("--send-at", str(time.time() + 3600), "--campaign", "summer", "--key", "two")
    assert shop("send", "--to", "+447700900108", "--text", "Later", *later).status == 0
    assert shop("status", "--key", "two").records[0]["state"] == "deferred"
    assert shop("cancel", "--campaign", "summer").records == [
        {"campaign": "summer", "cancelled": 1}
    ]
    (status,) = shop("status", "--key", "two").records
    assert (status["state"], status["final"]) == ("cancelled", True)
    (cancelled,) = shop("cancel", "--key", "two").records
    assert cancelled["cancelled"] is False
    assert shop("cancel", "none").err == "gateway: none: not known\n"


def test_a_campaign_can_be_paused_and_resumed(shop: Run) -> None:
    later = ("--send-at", str(time.time() + 3600), "--campaign", "winter", "--key", "three")
    assert shop("send", "--to", "+447700900108", "--text", "Later", *later).status == 0
    assert shop("pause", "winter").records == [{"campaign": "winter", "held": 1}]
    assert shop("status", "--key", "three").records[0]["paused"] is True
    assert shop("resume", "winter", "--extend", "60").records == [
        {"campaign": "winter", "released": 1}
    ]
    shop("cancel", "--campaign", "winter")
    ended = shop("resume", "wintr")
    assert (ended.status, ended.records) == (1, [{"campaign": "wintr", "released": 0}])
    assert ended.err == "gateway: 'wintr': nothing of this campaign was held\n"


@pytest.mark.parametrize("name", ["sumer", "Summer", "summer ", "summer"])
def test_a_campaign_of_which_nothing_waits_is_told(shop: Run, name: str) -> None:
    shop("cancel", "--campaign", "summer")
    ended = shop("cancel", "--campaign", name)
    assert (ended.status, ended.records) == (1, [{"campaign": name, "cancelled": 0}])
    assert ended.err == (
        f"gateway: {name!r}: nothing of this campaign waits: there is none of that name, or "
        "carriers have all of it\n"
    )


def test_an_opted_out_number_gets_nothing_until_it_is_removed(shop: Run) -> None:
    number = "447700900109"
    added = shop("optout", "add", f"+{number}", "nobody")
    assert added.status == 1
    [record] = added.records
    assert [holder.pop("at") > 0 for holder in record["held_by"]] == [True]
    assert record == {
        "number": number,
        "opted_out": True,
        "changed": True,
        "held_by": [{"source": "api"}],
        "only": [],
    }
    assert added.err.startswith("gateway: invalid_recipient: ")
    refused = shop("send", "--to", number, "--text", "Hello")
    assert refused.err.startswith("gateway: refused: opted_out: ")
    assert shop("optout", "check", number).records[0]["opted_out"] is True
    shop("optout", "add", number, "--source=complaint")
    assert shop("optout", "remove", number).records[0]["opted_out"] is True
    assert shop("optout", "remove", number, "--source=complaint").records[0]["opted_out"] is False
    assert shop("send", "--to", number, "--text", "Hello").status == 0


def test_events_are_printed_once_for_each_consumer(shop: Run) -> None:
    (sent,) = shop("send", "--to", "+447700900110", "--text", "Hello").records
    wait = ("--until-idle", "1")
    events = shop("events", "--consumer", "crm", *wait).records
    ours = [event for event in events if event.get("message_id") == sent["message_id"]]
    assert [(event["type"], event["to"]) for event in ours] == [("delivered", "447700900110")]
    assert shop("events", "--consumer", "crm", *wait).records == []
    assert shop("events", "--consumer", "crm", "--from", "start", *wait).records == events


def test_consumers_are_listed_and_deleted(shop: Run) -> None:
    shop("send", "--to", "+447700900115", "--text", "Hello")
    for name in ("kept", "tried"):
        shop("events", "--consumer", name, "--until-idle", "1")
    listed = {one["consumer"]: one for one in shop("consumers", "list").records}
    assert listed["kept"]["lag"] == 0
    assert listed["kept"]["connected"] is False
    assert abs(listed["kept"]["seen_at"] - time.time()) < 60
    assert shop("consumers", "list", "kept").records == [listed["kept"]]
    deleted = shop("consumers", "delete", "tried", "never")
    assert (deleted.status, deleted.err) == (1, "gateway: never: not known\n")
    assert [one["consumer"] for one in deleted.records] == ["tried"]
    assert "tried" not in {one["consumer"] for one in shop("consumers", "list").records}
    assert shop("consumers", "delete").status == 2


def test_who_reads_only_the_first_event_is_not_complained_at(shop: Run) -> None:
    for number in range(111, 114):
        shop("send", "--to", f"+447700900{number}", "--text", "Hello")
    command = [sys.executable, "-m", "gateway", "events", "--consumer", "head", "--from", "start"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as events:
        assert events.stdout is not None
        assert events.stderr is not None
        json.loads(events.stdout.readline())
        events.stdout.close()
        # It may have printed all there was before that: here is more.
        shop("send", "--to", "+447700900114", "--text", "Hello")
        assert events.stderr.read() == b""


def test_a_gateway_that_is_not_there_is_named(
    shop: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("GATEWAY_ADDRESS", address)
    for arguments in (["status", "1"], ["events"]):
        ended = shop(*arguments)
        assert ended.status == 1
        assert ended.err == (
            f"gateway: cannot reach the gateway at {address}: No such file or directory\n"
        )


def test_a_token_that_is_wrong_is_said_to_be(shop: Run) -> None:
    ended = shop("status", "1", "--token", "wrong")
    assert (ended.status, ended.err) == (1, "gateway: unauthenticated: token: not known\n")


@pytest.mark.usefixtures("shop")  # it sets the environment
def test_a_list_can_come_through_a_pipe() -> None:
    command = [sys.executable, "-m", "gateway", "send", "/dev/stdin"]
    rows = "to,text\n+447700900114,Hi\n"
    ended = subprocess.run(command, input=rows, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["accepted"] == 1


def test_what_was_counted_is_told_hour_by_hour_and_in_all(shop: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("to,variant\n+447700900130,a\n+447700900131,b\n+447700900132,b\nnobody,b\n")
    shop("send", str(file), "--text", "Hi", "--campaign", "counted")
    rows: list[Any] = []
    while sum(row.get("sent", 0) for row in rows[:-1]) < 3:
        rows = shop("stats", "counted").records
    *hours, total = rows
    assert {row["campaign"] for row in hours} == {"counted"}
    assert all(row["hour"] % 3_600 == 0 for row in hours)
    assert (total["accepted"], total["sent"], total["parts"]) == (3, 3, 3)
    assert total["refused"] == {"invalid_recipient": 1}
    assert "hour" not in total
    of_b = [row for row in hours if row.get("variant") == "b"]
    assert sum(row.get("accepted", 0) for row in of_b) == 2
    day = shop("stats").records
    assert day[-1]["accepted"] >= 3
    assert shop("stats", "counted", "--to", "1999-01-01T00:00+00:00").status == 1


def test_a_campaign_of_which_nothing_was_counted_is_told(shop: Run) -> None:
    ended = shop("stats", "sumer")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "gateway: 'sumer': nothing of this campaign was counted then\n"
    ended = shop("stats", "--from", "yesterday")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("gateway: --from: 'yesterday' is neither Unix seconds nor a time")
