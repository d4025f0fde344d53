"""The routing benchmark on rows whose best strategy is known: it finds it, and keeps what it read."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "routing.py"
PROMISED = {
    "lara_32k_gain", "lara_32k_token_share", "lara_128k_gain", "lara_128k_token_share", "oracle_gap_closed",
    "unseen_domain_gain", "unseen_domain_token_share", "calibration_error", "routing_ms", "plan_error_median",
}  # fmt: skip
DOMAINS = ("book", "paper", "financial")


@pytest.fixture
def data(tmp_path):
    """Facts that retrieving answers, and comparisons that only the whole text does, of 18 documents."""
    folder, chance = tmp_path / "lara", random.Random(0)
    folder.mkdir()
    asked, labels = [], []
    for at in range(18):
        length, domain = ("32k", "128k")[at % 2], DOMAINS[at // 2 % 3]
        (folder / f"{at}.txt").write_text(
            f"Berth {at} is let. " + "Nothing of note was seen. " * (2_500 + 2_500 * (at % 2))
        )
        for number in range(8):
            whole = number % 2
            text = (
                f"Compare the first and the last berth, how do both differ from {number}?"
                if whole
                else f"Who has berth {at}?"
            )
            one = {"id": f"{at}-{number}", "question": text, "task": ("location", "comp")[whole], "answerable": True}
            asked.append(
                one | {"document_path": f"{at}.txt", "group": str(at), "length_band": length, "domain": domain}
            )
            for model in ("m", "n"):
                high, low = 0.7 + chance.random() / 5, 0.3 + chance.random() / 5
                scores = {"full": high if whole else low, "rag": low if whole else high}
                label = {key: {"recall": score, "refused": False} for key, score in scores.items()}
                labels.append({"id": one["id"], "model": model} | label)
    for name, rows in (("normalized", asked), ("routing_labels_lexical", labels)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_it_routes_what_can_be_told_apart(data, tmp_path):
    kept = tmp_path / "kept.jsonl"
    command = [sys.executable, str(SCRIPT), "--data", str(data), "--rows", str(kept), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert set(found) >= PROMISED
    assert found["lara_rows"] == 288
    for length in ("32k", "128k"):
        assert found[f"lara_{length}_gain"] > 10
        assert found["intervals"][length]["low"] > 0
    assert found["oracle_gap_closed"] > 0.8
    assert found["unseen_domain_gain"] > 10
    assert found["unseen_domain_type_accuracy"] > 0.9
    assert found["routing_ms"] > 0
    assert found["plan_error_median"] is None or "plan_error_median" in found["stored"]


def test_signals_that_are_kept_are_not_taken_again(data, tmp_path):
    kept = tmp_path / "kept.jsonl"
    program = "import sys; from pathlib import Path; from routing_rows import rows"
    program += "; print(len(rows(*map(Path, sys.argv[1:]))))"
    command = [sys.executable, "-c", program, str(data / "lara"), str(kept)]

    def ran() -> list[str]:
        done = subprocess.run(command, cwd=SCRIPT.parent, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "288"
        return kept.read_text().splitlines(keepends=True)

    first = ran()
    kept.write_text("".join(first[:-8]))  # as after a kill: one document is still to be read
    again = ran()
    assert len(first) == len(again) == 144
    assert again[:-8] == first[:-8]  # times and all
