"""The configurations in ``config/examples`` do what the demo shows, and are as they should be."""

import os
import time
from datetime import date
from pathlib import Path

import pytest

from examples import brands
from gateway.config import load, warnings

NOW = time.time()
BRANDS = (brands.shop(NOW), brands.brand(NOW))


@pytest.mark.parametrize("brand", BRANDS, ids=lambda one: one.name)
def test_each_rule_does_what_it_is_there_for(brand: brands.Brand) -> None:
    found = brands.tried(brand)
    assert [(did.case.tried, did.came, did.why) for did in found if not did.holds] == []
    refused = [did for did in found if did.rule]
    assert all(did.rule == did.case.rule for did in refused), refused


@pytest.mark.parametrize("brand", BRANDS, ids=lambda one: one.name)
def test_the_configuration_has_neither_faults_nor_warnings(brand: brands.Brand) -> None:
    settings = load(Path(brands.FOLDER / f"{brand.name}.toml"), os.environ)
    told = warnings.found(settings, date(2026, 9, 21))
    assert [line for line in told if "are known yet" not in line] == [], "but for the future"


@pytest.mark.parametrize("hour", range(24))
def test_it_is_day_and_night_somewhere_at_any_hour(hour: int) -> None:
    moment = 1_790_000_000 // 86_400 * 86_400 + hour * 3_600.0
    assert brands.zone_of(brands.DAY, moment) != brands.zone_of(brands.NIGHT, moment)
