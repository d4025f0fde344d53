"""Which strategy reads which question: signals, kinds of questions, the policy file, the choice, the plan."""

from ragctx.routing.decide import decide
from ragctx.routing.plan import Plan, PlanRow, Totals
from ragctx.routing.policy import Policy
from ragctx.routing.signals import signals

__all__ = ["Plan", "PlanRow", "Policy", "Totals", "decide", "signals"]
