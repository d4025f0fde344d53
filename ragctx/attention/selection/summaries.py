"""Bounds of finished tiles in vLLM's pages, computed once and kept until a page is written to again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragctx.attention.extents import BLOCK

if TYPE_CHECKING:
    import torch

    from ragctx.attention.kernels.held import Pages


@dataclass(slots=True, eq=False)
class Summaries:
    """The least and the greatest of each number in the tiles of one layer's cache, by where they stand in it.

    A step of decoding writes one key; all tiles before it are as they were, and need not be read to be bounded.
    Requests that share a prefix share its bounds. Who writes to the cache has to say so (`written`), or what is kept is
    old.

    Example:
        >>> import torch
        >>> from ragctx.attention.kernels.held import Pages
        >>> keys, kept = torch.randn(200, 2, 16), Summaries()
        >>> pages = Pages.holding([keys], [keys], 128)
        >>> least, most = kept.bounds(pages, 0, 200)
        >>> torch.equal(least[0], keys[:64].amin(0)), torch.equal(most[2], keys[128:192].amax(0)), int(kept.known.sum())
        (True, True, 3)
    """

    least: torch.Tensor | None = None
    most: torch.Tensor | None = None
    known: torch.Tensor | None = None

    def written(self, slots: torch.Tensor) -> None:
        """Forget the tiles that are written to.

        Args:
            slots: of tokens in the cache, page * tokens of a page + place; those below 0 are none.
        """
        if self.known is not None:
            self.known[slots[slots >= 0].long().to(self.known.device) // BLOCK] = False

    def bounds(self, pages: Pages, request: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Bounds of the tiles of a request's first `count` keys, float32 [tiles, KV heads, width] each."""
        import torch

        per, device = pages.cache.shape[2] // BLOCK, pages.cache.device
        tiles = torch.arange(-(-count // BLOCK), device=device)
        places = pages.table[request].to(device).long()[tiles // per] * per + tiles % per
        least, most, known = self._made(pages)
        finished = places[: count // BLOCK]
        missing = finished[~known[finished]]
        if len(missing):
            keys = _tiles(pages, missing)
            least[missing], most[missing], known[missing] = keys.amin(-1), keys.amax(-1), True
        found = least[finished].float(), most[finished].float()
        if count % BLOCK == 0:
            return found
        tail = _tiles(pages, places[-1:])[..., : count % BLOCK].float()
        return torch.cat([found[0], tail.amin(-1)]), torch.cat([found[1], tail.amax(-1)])

    def _made(self, pages: Pages) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        cache = pages.cache
        if self.least is None or self.most is None or self.known is None:
            tiles = cache.shape[0] * (cache.shape[2] // BLOCK)
            self.least = cache.new_zeros(tiles, cache.shape[1], cache.shape[3] // 2)
            self.most, self.known = self.least.clone(), cache.new_zeros(tiles, dtype=bool)
        return self.least, self.most, self.known


def _tiles(pages: Pages, places: torch.Tensor) -> torch.Tensor:
    """The keys of some tiles of the cache, [tiles, KV heads, width, 64]."""
    cache = pages.cache
    heads, page, width = cache.shape[1], cache.shape[2], cache.shape[3] // 2
    per = page // BLOCK
    turned = cache[places // per].flatten(2)[..., : page * width].view(-1, heads, width, per, BLOCK)
    index = (places % per)[:, None, None, None, None].expand(-1, heads, width, 1, BLOCK)
    return turned.gather(3, index)[:, :, :, 0]
