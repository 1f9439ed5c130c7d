import json
from pathlib import Path

import pytest

CORPUS = Path(__file__).parents[3] / "shared" / "data" / "sms_texts.jsonl"


@pytest.fixture(scope="session")
def real_texts() -> list[str]:
    """Thousands of texts that people have sent, half of them English, half Chinese."""
    if not CORPUS.exists():
        pytest.skip(f"no {CORPUS}")
    with CORPUS.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]
