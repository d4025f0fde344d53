"""The training loop: steps, checkpoints, a log; killed and started again it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from training.reader import losses
from training.reader.features import collate
from training.reader.model import Reader
from training.reader.schedule import Group, Plan, rate
from training.reader.teacher import Embedder


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates and how fast the kept average of the weights follows them."""

    encoder: float = 2e-4
    heads: float = 1e-3
    average: float = 0.998

    @classmethod
    def over(cls, steps: int) -> Rates:
        """Rates for a run of so many steps.

        The average looks back over a tenth of them at most, or it would never leave the weights that a short run
        began with.
        """
        return cls(average=min(cls().average, max(0.0, 1 - 10 / max(1, steps))))


class Trainer:
    """Trains a reader along a plan.

    Args:
        reader: changed in place; its word embeddings stay as they are.
        teacher: text -> unit vector, of the texts whose embeddings are to be kept.
        plan: what is read when.
        out: folder of `log.jsonl` and of the checkpoint.
        tokenizer: of pairs (`features.opened`).
        embedder: of single texts.
        rates: by default those of a long run.
    """

    def __init__(
        self,
        reader: Reader,
        tokenizer: Tokenizer,
        embedder: Embedder,
        teacher: Mapping[str, np.ndarray],
        plan: Plan,
        out: Path,
        rates: Rates | None = None,
    ) -> None:
        self.reader, self._tokenizer, self._embedder, self._teacher = reader, tokenizer, embedder, teacher
        self._plan, self._out = plan, out
        rates = rates or Rates()
        reader.encoder.get_input_embeddings().weight.requires_grad_(False)
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in reader.encoder.parameters() if p.requires_grad], "lr": rates.encoder},
                {"params": [*reader.tokens.parameters(), *reader.relevance.parameters()], "lr": rates.heads},
            ],
            weight_decay=0.01,
        )
        at, steps = rate(), plan.steps()
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, lambda step: at(step / steps))
        follow = torch.optim.swa_utils.get_ema_multi_avg_fn(rates.average)
        self.average = torch.optim.swa_utils.AveragedModel(reader, multi_avg_fn=follow)
        self._file = out / "checkpoint.pt"

    def run(self) -> Reader:
        """Train to the end of the plan; the averaged weights, which are the better ones."""
        first = self._resume()
        for number, name, batches in self._plan.batches(self._tokenizer, first):
            torch.manual_seed(number)
            self._log(number, name, batches, self._window(batches))
            self._save(number + 1)
        averaged = self.average.module
        assert isinstance(averaged, Reader)
        return averaged

    def _window(self, batches: Sequence[list[Group]]) -> dict[str, float]:
        """The mean of every part of the loss over a window."""
        self.reader.train()
        seen = [self._step(groups) for groups in batches]
        return {name: sum(parts[name] for parts in seen) / len(seen) for name in seen[0]}

    def _step(self, groups: list[Group]) -> dict[str, float]:
        batch = collate([pairs for _, pairs in groups])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            parts = losses.total(self.reader(batch.ids, batch.types, batch.mask), batch)
            parts["likeness"] = 3 * self._likeness(groups)
        losses.weighted(parts).backward()
        nn.utils.clip_grad_norm_(self.reader.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._schedule.step()
        self.average.update_parameters(self.reader)
        return {name: float(part.detach()) for name, part in parts.items()}

    def _likeness(self, groups: list[Group]) -> torch.Tensor:
        """Every question and a third of the passages: single texts cost as much as pairs.

        Questions and passages go through apart, so that no question is padded to a passage's length.
        """
        kinds = [e.question for e, _ in groups], [e.passage.text for e, _ in groups[:: max(1, len(groups) // 4)]]
        known = [texts for kind in kinds if (texts := [text for text in kind if text in self._teacher])]
        if not known:
            return torch.zeros(())
        made = torch.cat([self.reader(*self._embedder.tensors(texts)).embedding for texts in known])
        wanted = np.stack([self._teacher[text] for texts in known for text in texts])
        return losses.likeness(made, torch.from_numpy(wanted))

    def _log(self, number: int, name: str, batches: Sequence[list[Group]], means: dict[str, float]) -> None:
        row = {"window": number, "of": self._plan.windows(), "epoch": name, "steps": len(batches)}
        row |= {"at": round(time.time())} | {part: round(mean, 4) for part, mean in means.items()}
        with (self._out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")

    def _resume(self) -> int:
        if not self._file.exists():
            return 0
        state = torch.load(self._file, weights_only=True)
        self.reader.load_state_dict(state["reader"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        return int(state["window"])

    def _save(self, window: int) -> None:
        state = {
            "window": window,
            "reader": self.reader.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        partial = self._file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._file)
