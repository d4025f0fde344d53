"""`ragctx calibrate` as a user runs it: asked, fitted, written, and used by the next plan."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("sklearn")

FILLER = " ".join(f"Page {n} of the ledger of the harbour notes nothing of interest." for n in range(60))


def rows(count=30):
    """Facts that a retrieved page tells, and sums that only the whole ledger does."""
    for at in range(count):
        text = f"Berth {at} is let to tenant{at}. {FILLER}"
        if at % 2:
            yield {
                "id": f"q{at}",
                "question": f"Who has berth {at}?",
                "answers": ["crowns"],
                "document": text,
                "kind": "a",
            }
        else:
            long = (
                f"Over all pages of the ledger and all years, summed up, what in total did berth {at} cost in the end?"
            )
            yield {"id": f"q{at}", "question": long, "answers": ["crowns"], "document": text, "kind": "b"}


SCRIPT = 'default = "Ten crowns. [1]"\nwindow = 8192\n'


@pytest.fixture
def calibrate(ragctx, questions, reader, tmp_path):
    def run(*more, asked=None, ways=("full", "retrieve"), data=None):
        named = ("--reader", reader(SCRIPT), "--scorer", "none", "--job", tmp_path / "jobs")
        arms = [part for way in ways for part in ("--strategy", way)]
        return ragctx(
            "calibrate", data or questions(*(asked or rows())), *named, *arms, "-w", tmp_path / "p.json", *more
        )

    return run


def test_a_policy_is_written_that_the_next_plan_obeys(calibrate, ragctx, reader, questions, documents, tmp_path):
    done = calibrate("--json")
    assert done.code == 0, done.err
    found = done.json
    assert (found["questions"], found["groups"]) == (30, 30)
    assert not found["routes"]  # both say the same: the cheaper one is as good
    assert "30 questions are few" in found["verdict"]
    held = json.loads((tmp_path / "p.json").read_text("utf-8"))
    assert held["digest"] == found["digest"]
    assert held["policy"]["origin"]["readers"] == [reader(SCRIPT)]
    (tmp_path / "ragctx.toml").write_text(f'policy = "{tmp_path / "p.json"}"\n', encoding="utf-8")
    asked = questions({"question": "How long is the notice period?"}, name="next.jsonl")
    plan = ragctx("plan", asked, "-d", documents, "--reader", reader(SCRIPT), "--scorer", "none", "--json")
    assert plan.code == 0, plan.err
    decision = plan.json["rows"][0]["decision"]
    assert found["digest"][:12] in decision["policy"]
    assert {c["strategy"] for c in decision["candidates"]} == {"full", "retrieve"}
    assert "not asked" not in plan.err
    again = calibrate("--json")
    assert again.code == 2
    assert "is a fitted one" in again.err


def test_it_goes_on_asks_nothing_twice_and_fits_again_from_outcomes(calibrate, tmp_path):
    first = calibrate("--json").json
    outcomes = tmp_path / "jobs" / "outcomes.jsonl"
    before = outcomes.read_text("utf-8")
    assert len(before.splitlines()) == 30
    other = calibrate("--lambda", "0.5", "--json")  # what was asked does not depend on the weight of cost
    assert other.code == 0, other.err
    assert other.json["arms"][0]["name"] == "retrieve"
    assert outcomes.read_text("utf-8") == before  # seconds and all: nothing was asked again
    again = calibrate("--json", data=f"outcomes:{outcomes}")
    assert again.code == 0, again.err
    assert again.json["arms"] == first["arms"]


def test_the_report_for_people_is_plain(calibrate):
    done = calibrate()
    assert done.code == 0, done.err
    for part in ("router", "full", "retrieve", "30 questions", "written to"):
        assert part in done.out
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize(("changes", "code", "said"), [
    ({"asked": list(rows(8))}, 3, "8 questions are too few"),
    ({"ways": ("full",)}, 2, "two strategies or more"),
    ({"ways": ("full", "router")}, 2, "two strategies or more"),
    ({"ways": ("full", "fool")}, 2, "unknown"),
    ({"data": "outcomes:none.jsonl"}, 3, "cannot read the outcomes"),
    ({"asked": [{"id": "q", "question": "Who?", "document": "Nobody."}]}, 3, "q"),
])  # fmt: skip
def test_what_cannot_be_fitted(calibrate, changes, code, said, tmp_path):
    done = calibrate(**changes)
    assert done.code == code, done.err
    assert said in done.err
    assert not (tmp_path / "p.json").exists()
