"""compose.yaml, as far as can be seen without a container runtime: what it names exists, who asks
whom is there, and its commands, run beside each other, send the campaign."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest

from gateway.ops.watching import BOARDS

from .conftest import ROOT

READER: Final = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
FOLDER: Final = ROOT / "deploy" / "compose"
TOKEN: Final = "only for a demonstration"


@pytest.fixture(scope="session")
def read() -> Any:
    """Reads YAML, by Debian's own Python and its PyYAML."""

    def read(path: Path) -> Any:
        made = subprocess.run(
            ["/usr/bin/python3", "-c", READER],
            input=path.read_text(),
            capture_output=True,
            text=True,
            check=False,
        )
        if "No module named 'yaml'" in made.stderr:
            pytest.skip("python3-yaml is not installed; .ci/interop installs it on Debian")
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)

    if not Path("/usr/bin/python3").exists():
        pytest.skip("python3-yaml is not installed; .ci/interop installs it on Debian")
    return read


@pytest.fixture
def services(read: Any) -> dict[str, dict[str, Any]]:
    """Each service."""
    found: dict[str, dict[str, Any]] = read(ROOT / "compose.yaml")["services"]
    return found


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """What a service sees, and where it is outside; a volume by its name."""
    pairs = [one.split(":")[:2] for one in service.get("volumes", ())]
    return {inside: outside for outside, inside in pairs}


def test_what_is_mounted_exists_and_is_only_read(
    services: dict[str, dict[str, Any]], read: Any
) -> None:
    volumes = read(ROOT / "compose.yaml")["volumes"]
    for service in services.values():
        for one in service.get("volumes", ()):
            source = one.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
                assert one.endswith(":ro"), one
            else:
                assert source in volumes


def test_services_are_there_that_others_ask(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
    configuration = tomllib.loads((FOLDER / "gateway.toml").read_text())
    asked = [(one["host"], one.get("port", 2775)) for one in configuration["carriers"]]
    texts = [
        (FOLDER / "prometheus.yml").read_text(),
        (FOLDER / "grafana" / "datasources" / "prometheus.yml").read_text(),
        services["campaign"]["environment"]["GATEWAY_ADDRESS"],
    ]
    for text in texts:
        asked += [(host, int(port)) for host, port in re.findall(r"([a-z]+):(\d+)", text)]
    assert {host for host, _ in asked} == {
        "alpha", "beta", "gateway", "alertmanager", "prometheus"
    }  # fmt: skip
    listening = {"gateway": {7600, 7601}, "alertmanager": {9093}, "prometheus": {9090}}
    for host, port in asked:
        assert host in services
        if host in listening:
            assert port in listening[host]
            assert f"127.0.0.1:{port}:{port}" in services[host]["ports"]
        else:
            command = services[host]["command"]
            assert command[command.index("--port") + 1] == str(port)


def test_nothing_is_published_beyond_this_machine(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_images_are_pinned_and_ours_have_no_rights(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        if "build" in service:
            assert service["cap_drop"] == ["ALL"]
            assert service["read_only"]
        else:
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])


def test_prometheus_finds_its_rules_and_its_token(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; .ci/interop installs it on Debian")
    seen = mounts(services["prometheus"])
    for inside, outside in seen.items():
        text = (ROOT / outside).read_text().replace("/etc/prometheus", str(tmp_path))
        (tmp_path / Path(inside).name).write_text(text)
    checked = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("rules found") == 2


def test_grafana_is_given_every_board(services: dict[str, dict[str, Any]], read: Any) -> None:
    seen = mounts(services["grafana"])
    [provider] = read(FOLDER / "grafana" / "dashboards" / "gateway.yml")["providers"]
    boards = ROOT / seen[provider["options"]["path"]]
    assert {path.stem for path in boards.glob("*.json")} == {board.name for board in BOARDS}
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (boards / home.name).exists()
    [source] = read(FOLDER / "grafana" / "datasources" / "prometheus.yml")["datasources"]
    assert source["isDefault"]


def _gateway(site: Any, name: str, *arguments: str) -> Any:
    return site.start(name, sys.executable, "-m", "gateway", *arguments)


def test_its_commands_send_the_campaign(services: dict[str, dict[str, Any]], site: Any) -> None:
    """Beside each other on this machine, where containers would have a name each."""
    text = (FOLDER / "gateway.toml").read_text()
    for name in ("alpha", "beta"):
        port = site.free_port()
        command = [
            {"0.0.0.0": "127.0.0.1", "2775": str(port)}.get(one, one)
            for one in services[name]["command"]
        ]
        _gateway(site, name, *command).wait_for("listening")
        text = text.replace(f'host = "{name}"', f'host = "127.0.0.1"\nport = {port}')
    text = text.replace("0.0.0.0:7600", f"127.0.0.1:{site.api}")
    text = text.replace("0.0.0.0:7601", f"127.0.0.1:{site.admin}")
    text = text.replace("/var/lib/gateway", str(site.folder))
    file = site.folder / "gateway.toml"
    file.write_text(text)
    _gateway(site, "gateway", "serve", "--config", str(file)).wait_for('"bound"', 3)

    access = ["--address", f"tcp://127.0.0.1:{site.api}", "--token", TOKEN]
    [shell] = services["campaign"]["command"]
    [send] = re.findall(r"gateway (send [^;]+);", shell)
    arguments = send.replace("/campaign.csv", str(FOLDER / "campaign.csv")).split()
    campaign = _gateway(site, "campaign", *arguments, *access)
    assert campaign.wait() == 0, campaign.text()
    reader = _gateway(site, "reader", *services["reader"]["command"], *access)
    reader.wait_for('"type":"delivered"', 5)
    ask = Request(f"http://127.0.0.1:{site.admin}/metrics")
    ask.add_header("authorization", f"Bearer {(FOLDER / 'admin.token').read_text()}")
    with urlopen(ask, timeout=60) as page:
        assert b'gateway_messages_accepted_total{category="marketing",tenant="demo"} 200.0' in (
            page.read()
        )
