"""What tests of upgrades have in common with those that break things."""

from pathlib import Path

import pytest

from tests.faults.conftest import nodes_of, start_campaign
from tests.upgrade import programs

__all__ = ["nodes_of", "start_campaign"]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the gateways of before are, see `programs.command`."""
    folder = tmp_path_factory.mktemp("programs")
    programs.unpack(folder)
    return folder
