"""What is forked is a process like one that is started."""

import signal
from pathlib import Path
from typing import Any


def test_what_it_starts_has_an_output_a_folder_and_a_status_of_its_own(
    tmp_path: Path, site: Any
) -> None:
    checked = site.command("checked", "check", "--config", "none.toml")
    assert checked.wait() == 1
    assert checked.text() == "none.toml: cannot be read: No such file or directory\n"
    simulated = site.command("simulated", "simulate", "--port", "0")
    simulated.wait_for("listening")
    assert Path(f"/proc/{simulated.pid}/cwd").resolve() == tmp_path
    simulated.signal(signal.SIGTERM)
    assert simulated.wait() == 0
    assert not simulated.running
    killed = site.command("killed", "simulate", "--port", "0")
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
