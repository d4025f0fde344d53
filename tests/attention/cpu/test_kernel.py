"""Every compiled instruction set that this machine runs, and torch in its place, against the oracle in float64."""

from __future__ import annotations

from functools import partial

import pytest

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.kernels import choice, cpu, torch_tiles
from ragctx.attention.kernels.cpu import libraries
from ragctx.attention.kernels.held import Pages, Rows
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")

SETS = libraries.running()
compiled = pytest.mark.skipif(not SETS, reason="no compiled kernel: no compiler was there at installation")
F32, BF16 = torch.float32, torch.bfloat16
KERNELS = [
    pytest.param(partial(cpu.attend, instructions=name), dtype, id=f"{name}-{str(dtype).removeprefix('torch.')}")
    for name in SETS
    for dtype in (F32, BF16)
    if not (name == libraries.ROUNDS and dtype == F32)
] + [pytest.param(torch_tiles.attend, dtype, id=f"torch-{dtype}") for dtype in (F32, BF16)]


@pytest.fixture(autouse=True)
def _asked_anew():
    """What was found of the machine is forgotten before and after a test that changes it."""
    libraries.running.cache_clear()
    yield
    libraries.running.cache_clear()


LIMIT = {F32: 1e-5, BF16: 1e-2}


@pytest.mark.parametrize(("attend", "dtype"), KERNELS)
@pytest.mark.parametrize("density", [1.0, 0.4])
def test_rows_and_pages_are_as_the_oracle_says(attend, dtype, density, calls, apart, shapes):
    for shape in shapes:
        if attend is torch_tiles.attend and shape == "long":
            continue  # correct there too, and slow
        call = calls(shape, dtype, density)
        for pages in (False, True):
            output, lse = apart(call, attend, pages)
            assert output <= LIMIT[dtype], (shape, pages)
            assert lse <= 1e-4, (shape, pages)


@pytest.mark.parametrize(("attend", "dtype"), KERNELS)
@pytest.mark.parametrize("page", [64, 192])
def test_pages_of_any_size_that_tiles_divide(attend, dtype, page, calls, apart):
    output, lse = apart(calls("seven", dtype, 0.5, page), attend, True)
    assert output <= LIMIT[dtype]
    assert lse <= 1e-4


@pytest.mark.parametrize(("attend", "dtype"), KERNELS)
def test_scores_far_apart_and_all_alike(attend, dtype, calls, apart):
    """Weights of one key alone, as wrong as scores of several hundred are; then every key counting the same."""
    output, lse = apart(calls("pairs", dtype, 0.5, spread=6.0, scale=1.0), attend, False)
    assert output <= {F32: 2e-3, BF16: 0.2}[dtype]
    assert lse <= {F32: 2e-3, BF16: 1e-2}[dtype]
    output, lse = apart(calls("pairs", dtype, 0.5, scale=1e-9), attend, False)
    assert output <= LIMIT[dtype]
    assert lse <= 1e-5


@pytest.mark.parametrize(("attend", "dtype"), KERNELS)
def test_what_is_no_number_reaches_everyone_who_sees_it_and_nobody_else(attend, dtype, calls):
    """A model that has gone wrong shows as NaN, on every machine, and not as fluent numbers."""
    call = calls("pairs", dtype)
    keys, query = call.rows.keys[0].clone(), call.query.clone()
    keys[150, 0, 3], query[7, 3] = torch.nan, torch.nan
    found = attend(query, Rows([keys], call.rows.values), call.index)
    wrong = torch.zeros(query.shape[:2], dtype=torch.bool)
    wrong[150 - 130 :, :2] = True  # 70 queries behind 130 keys; two heads of the first group
    wrong[7, 3] = True
    assert torch.equal(found.output.isnan().all(-1), wrong)
    assert torch.equal(found.output.isnan().any(-1), wrong)
    assert torch.equal(found.lse.isnan(), wrong)


@pytest.mark.parametrize(("attend", "dtype"), KERNELS)
def test_hopeless_scores_still_make_numbers(attend, dtype, calls):
    """The diagonal is in every row, so no row is empty, however little its keys score."""
    call = calls("pairs", dtype)
    keys, query = -100 * torch.ones_like(call.rows.keys[0]), 100 * torch.ones_like(call.query)
    found = attend(query, Rows([keys], call.rows.values), call.index)
    assert torch.isfinite(found.output.float()).all()
    assert torch.isfinite(found.lse).all()


@pytest.mark.parametrize(("attend", "dtype"), KERNELS)
def test_views_of_one_fused_projection(attend, dtype):
    """Queries, keys and values side by side in a row, and an output with gaps."""
    extent, heads, kv, width = Extent(90, 90), 6, 2, 64
    fused = torch.randn(90, (heads + 2 * kv) * width, generator=torch.Generator().manual_seed(1)).to(dtype)
    parts = fused.split([heads * width, kv * width, kv * width], dim=1)
    query, key, value = (part.view(90, -1, width) for part in parts)
    gaps = torch.full((90, heads, 2 * width), 7.0, dtype=dtype)
    index = BlockIndex.dense([extent], kv)
    attend(query, Rows([key], [value]), index, output=gaps[..., :width])
    wanted = attend(query.contiguous(), Rows([key.contiguous()], [value.contiguous()]), index).output
    assert torch.equal(gaps[..., :width], wanted)
    assert (gaps[..., width:] == 7.0).all()


@compiled
@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("instructions", SETS or ["none"])
def test_the_same_bits_whoever_computes_and_wherever_keys_are(instructions, dtype, calls, shapes):
    if instructions == libraries.ROUNDS and dtype == F32:
        pytest.skip("it takes no float32")
    for shape in shapes:
        call = calls(shape, dtype, 0.5)
        attend = partial(cpu.attend, call.query, index=call.index, instructions=instructions)
        first = attend(held=call.rows)
        for held, threads in ((call.rows, 1), (call.rows, 2), (call.pages, 2), (call.rows, 64)):
            again = attend(held=held, threads=threads)
            assert torch.equal(again.output, first.output), (shape, threads)
            assert torch.equal(again.lse, first.lse)


def test_heads_first_tensors_of_several_requests():
    """Layouts as transformers keeps them: strides of the heads differ with the length."""
    extents = [Extent(10, 10), Extent(20, 70)]
    chance = torch.Generator().manual_seed(2)
    query = torch.randn(30, 4, 32, generator=chance)
    keys, values = (
        [torch.randn(2, extent.keys, 32, generator=chance).transpose(0, 1) for extent in extents] for _ in range(2)
    )
    index, attend = BlockIndex.dense(extents, 2), choice.kernel(32, F32).attend
    plain = Rows([key.contiguous() for key in keys], [value.contiguous() for value in values])
    assert torch.equal(attend(query, Rows(keys, values), index).output, attend(query, plain, index).output)


@compiled
def test_a_chunk_is_a_part_of_the_whole(calls):
    """The same bits for a tile of queries, however the prompt was cut between tiles."""
    whole = Extent(300, 300)
    query, key, value = (torch.randn(300, heads, 64, generator=torch.Generator().manual_seed(9)) for heads in (4, 2, 2))
    at_once = cpu.attend(query, Rows([key], [value]), BlockIndex.dense([whole], 2))
    for begin, end in ((0, 128), (128, 192), (192, 300)):
        index = BlockIndex.dense([Extent(end - begin, end)], 2)
        part = cpu.attend(query[begin:end], Rows([key[:end]], [value[:end]]), index)
        assert torch.equal(part.output, at_once.output[begin:end])


@compiled
def test_more_keys_than_are_packed_at_once():
    """Several waves: each KV head takes most of what is packed at a time."""
    extents = [Extent(64, 30_030), Extent(65, 30_000)]
    chance = torch.Generator().manual_seed(4)
    query = torch.randn(129, 3, 256, generator=chance)
    keys, values = ([torch.zeros(e.keys, 3, 256) for e in extents] for _ in range(2))
    for tensor in (*keys, *values):
        tensor[: 20 * 64].normal_(generator=chance)
        tensor[-130:].normal_(generator=chance)
    index = BlockIndex.chosen(extents, 3, lambda request, head, tile: sorted({0, 7 * head + request, 9 + head, tile}))
    ours = cpu.attend(query, Rows(keys, values), index, threads=2)
    wanted = torch_tiles.attend(query, Rows(keys, values), index)
    assert (ours.output - wanted.output).abs().max() <= 1e-5


@compiled
def test_the_fastest_set_is_taken_and_another_by_name(monkeypatch):
    assert cpu.compiled() == SETS[0]
    assert cpu.compiled(F32) != libraries.ROUNDS
    assert choice.kernel(64, BF16).name == f"cpu/{SETS[0]}"
    monkeypatch.setenv(libraries.FORCED, "portable")
    assert cpu.compiled(F32) == cpu.compiled(BF16) == "portable"
    with pytest.raises(ConfigError, match=r"here run .*portable"):
        cpu.compiled(instructions="avx1024")


@pytest.mark.skipif(libraries.ROUNDS not in SETS, reason="this machine multiplies no bfloat16")
def test_float32_is_never_rounded_unawares(monkeypatch):
    with pytest.raises(ConfigError, match="rounds float32"):
        cpu.compiled(F32, libraries.ROUNDS)
    monkeypatch.setenv(libraries.FORCED, libraries.ROUNDS)
    with pytest.raises(ConfigError, match="rounds float32"):
        cpu.compiled(F32)
    assert choice.kernel(64, F32).name == "torch"


def test_where_nothing_is_built_torch_stands_in_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(libraries, "path", lambda name: tmp_path / name)
    with pytest.raises(ConfigError, match=r"install a C\+\+ compiler"):
        cpu.compiled()
    chosen = choice.kernel(64, BF16)
    assert (chosen.name, chosen.attend) == ("torch", torch_tiles.attend)
    assert "no compiled kernel" in chosen.why


@compiled
def test_a_machine_without_avx512_takes_what_it_has(monkeypatch):
    monkeypatch.setattr(libraries, "_features", lambda: 1)
    assert set(libraries.running()) <= {"avx2", "portable"}
    libraries.running.cache_clear()
    monkeypatch.setattr(libraries, "_features", lambda: 0)
    assert libraries.running() == ("portable",)


def test_a_broken_library_is_told(monkeypatch, tmp_path):
    (tmp_path / "portable").write_bytes(b"no library")
    monkeypatch.setattr(libraries, "path", lambda name: tmp_path / name)
    monkeypatch.setattr(libraries, "library", libraries.library.__wrapped__)
    monkeypatch.setattr(libraries, "_features", libraries._features.__wrapped__)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        cpu.compiled()


def test_pages_give_back_what_they_hold(calls):
    call = calls("seven", F32)
    for request, key in enumerate(call.rows.keys):
        for head in range(2):
            held = call.pages.of(request, head, len(key))
            assert torch.equal(held[0], key[:, head])
            assert torch.equal(held[1], call.rows.values[request][:, head])
    assert isinstance(call.pages, Pages)
