"""The one-call strategies, and the parts that other strategies are made of."""

from ragctx.strategies.answering import Reading
from ragctx.strategies.compress import Compress
from ragctx.strategies.extract import Extract
from ragctx.strategies.filling import Filler
from ragctx.strategies.full import Full
from ragctx.strategies.limits import Ceiling
from ragctx.strategies.ordering import Order, ordered
from ragctx.strategies.reranking import Reranking
from ragctx.strategies.retrieve import Retrieve
from ragctx.strategies.standalone import Asked, alone

__all__ = [
    "Asked",
    "Ceiling",
    "Compress",
    "Extract",
    "Filler",
    "Full",
    "Order",
    "Reading",
    "Reranking",
    "Retrieve",
    "alone",
    "ordered",
]
