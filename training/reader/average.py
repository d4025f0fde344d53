"""`python -m training.reader.average --data DATA --encoder ENCODER --out OUT RUN RUN`: the mean of runs' weights.

Runs that follow on each other end in weights near enough to be averaged, and their mean reads a little better than
either (model soups, Wortsman et al., arXiv 2203.05482): same size, same speed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ragctx.errors import ConfigError
from training.reader.model import Reader
from training.reader.package import package

State = Mapping[str, torch.Tensor]


def mean(states: Sequence[State]) -> dict[str, torch.Tensor]:
    """The mean of every weight; what is counted, not learnt (positions), is taken from the first.

    Args:
        states: at least one, with the same names and shapes.

    Raises:
        ConfigError: they are of different models.

    Example:
        >>> mean([{"w": torch.tensor([1.0])}, {"w": torch.tensor([2.0])}])
        {'w': tensor([1.5000])}
    """
    shapes = [{name: weight.shape for name, weight in state.items()} for state in states]
    if any(other != shapes[0] for other in shapes):
        raise ConfigError("these runs are of models of different shape: average runs over the same encoder")
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if weight.is_floating_point() else weight
        for name, weight in states[0].items()
    }


def main(said: Sequence[str] | None = None) -> None:
    """Average, and package what comes out."""
    parser = argparse.ArgumentParser(prog="python -m training.reader.average", description=__doc__)
    for name in ("data", "encoder", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs that are through, in their order")
    options = parser.parse_args(said)
    options.out.mkdir(parents=True, exist_ok=True)
    state = mean([torch.load(run / "reader.pt", weights_only=True) for run in options.runs])
    torch.save(state, options.out / "reader.pt")
    reader = Reader.over(options.encoder)
    reader.load_state_dict(state)
    told = through(options.runs[-1], len(options.runs))
    package(reader, options.encoder / "tokenizer.json", options.data, options.out, told)
    (options.out / "runs.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def through(last: Path, count: int) -> list[dict[str, str]]:
    """What the weights have been through: the last run and those before it, and the averaging."""
    runs = json.loads((last / "runs.json").read_text(encoding="utf-8"))
    return [*runs, {"stage": f"the mean of the weights of the last {count} runs", "trained": "nothing"}]


if __name__ == "__main__":
    main()
