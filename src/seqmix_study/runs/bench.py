"""Interleaved speed comparisons of the package's own code; ``seqmix bench`` prints them.

Arms of one comparison take turns, one call each a round in a random order, so that drift of the machine hits all
alike; the answer is a ratio of medians with the spread of the per-round ratios. The first arm appears twice (A/A):
where that ratio is far from 1 the machine is too busy to decide anything. Wall and CPU time of the process are kept.

Other people's code is not part of this repository: nanoGPT joins when the folder of a checkout is named, and
``transformers`` when it is installed.
"""

import importlib.util
import os
import platform
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from seqmix import accounting
from seqmix.config import ModelConfig, TrainConfig
from seqmix.models import build, causal, for_decoding
from seqmix.models.delta_rule import delta_rule
from seqmix.step import TrainStep
from seqmix.timing import interleaved

Arms = dict[str, Callable[[], object]]

SHAPES = {"4x128": (4, 4, 128, 32), "6x384": (6, 6, 384, 16)}
"""Training shapes: layers, heads, width, batch; T = 256, byte vocabulary."""


def machine() -> dict:
    """Return what the numbers depend on: processor, threads, library, how busy the machine is."""
    name = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def compare(name: str, arms: Arms, rounds: int, tokens: int, kernel: str) -> dict:
    """Time ``arms`` in turns for ``rounds`` rounds after two unmeasured ones; ``tokens`` a call."""
    first = next(iter(arms))
    order = [*arms, "A/A"]
    calls = arms | {"A/A": arms[first]}
    wall: dict[str, list[float]] = {arm: [] for arm in order}
    cpu: dict[str, list[float]] = {arm: [] for arm in order}
    for _, which, seconds, busy in interleaved(list(calls.values()), rounds, torch.device("cpu"), warm_up=2):
        wall[order[which]].append(seconds)
        cpu[order[which]].append(busy)
    rows = []
    for arm in order:
        ratios = sorted(a / b for a, b in zip(wall[arm], wall[first], strict=True))
        median = statistics.median(wall[arm])
        rows.append(
            {
                "arm": arm,
                "seconds": median,
                "cpu_seconds": statistics.median(cpu[arm]),
                "tokens_per_second": tokens / median,
                "times_first": median / statistics.median(wall[first]),
                "times_first_low": ratios[len(ratios) // 10],
                "times_first_high": ratios[-1 - len(ratios) // 10],
                "times_first_cpu": statistics.median(cpu[arm]) / statistics.median(cpu[first]),
            }
        )
    return {"comparison": name, "rounds": rounds, "tokens_a_call": tokens, "kernel": kernel, "arms": rows}


def training(shape: str, rounds: int, nanogpt: Path | None = None) -> dict:
    """Compare the trainer's step in both precisions, at one of ``SHAPES``, with nanoGPT's where its folder is given."""
    layers, heads, width, batch = SHAPES[shape]
    length = 256
    config = ModelConfig(pattern="A" * layers, n_heads=heads, d_model=width, max_length=length)
    random = torch.Generator().manual_seed(0)
    inputs = torch.randint(256, (batch, length), generator=random)
    targets = inputs.roll(-1, 1)

    def ours(precision: str) -> Callable:
        step = TrainStep(build(config), TrainConfig(precision=precision), "cpu")
        return lambda: step(inputs, targets, 1.0)[0].item()

    arms = {f"seqmix {precision}": ours(precision) for precision in ("bfloat16", "float32")}
    if nanogpt is not None:
        for dtype in (torch.bfloat16, torch.float32):
            name = f"nanoGPT {str(dtype).removeprefix('torch.')}"
            arms[name] = nanogpt_step(nanogpt, layers, heads, width, inputs, targets, dtype)
    answer = compare(
        f"training step {shape}", arms, rounds, inputs.numel(), f"own causal attention <= {causal.LONGEST}"
    )
    flops = accounting.train_flops_per_token(config, length)
    return answer | {"parameters": accounting.parameters(config)["total"], "train_flops_per_token": flops}


def nanogpt_step(folder: Path, layers: int, heads: int, width: int, inputs, targets, dtype) -> Callable:
    """Return nanoGPT's own training step (model, optimiser, autocast, clipping) from a checkout in ``folder``."""
    spec = importlib.util.spec_from_file_location("nanogpt_model", folder / "model.py")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    size = {"n_layer": layers, "n_head": heads, "n_embd": width, "block_size": inputs.shape[1]}
    model = code.GPT(code.GPTConfig(**size, vocab_size=256, dropout=0.0, bias=False))
    optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.95), "cpu")

    def step() -> float:
        with torch.amp.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            _, loss = model(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def delta(length: int, rounds: int) -> dict:
    """Compare DeltaNet forward + backward (H 4, K = V = 64, B T = 4096, float32) with a row loop and with SDPA."""
    batch, heads, width = 4096 // length, 4, 64
    random = torch.Generator().manual_seed(0)
    q, k, v, weight = (
        F.normalize(torch.randn(batch, length, heads, width, generator=random), dim=-1) for _ in range(4)
    )
    beta = torch.rand(batch, length, heads, generator=random)

    def arm(function: Callable, *inputs, swap: bool) -> Callable:
        inputs = [(x.transpose(1, 2).contiguous() if swap else x.clone()).requires_grad_() for x in inputs]
        end = weight.transpose(1, 2).contiguous() if swap else weight
        return lambda: torch.autograd.grad(function(*inputs), inputs, end)

    arms = {
        "seqmix C=32": arm(lambda *x: delta_rule(*x, chunk_size=32)[0], q, k, v, beta, swap=False),
        "seqmix C=64": arm(lambda *x: delta_rule(*x, chunk_size=64)[0], q, k, v, beta, swap=False),
        "row loop C=32": arm(row_loop, q, k, v, beta, swap=True),
        "SDPA": arm(lambda *x: F.scaled_dot_product_attention(*x, is_causal=True), q, k, v, swap=True),
    }
    return compare(f"delta rule T={length}", arms, rounds, 4096, "chunked, hand-written backward")


def row_loop(q, k, v, beta, chunk: int = 32):
    """A plain chunkwise form, inverse row by row and autograd throughout; ``[B, H, T, .]``."""
    q, k, v, beta = (x.unflatten(2, (-1, chunk)) for x in (q, k, v, beta))
    v, weighted = v * beta[..., None], k * beta[..., None]
    upper = torch.ones(chunk, chunk, dtype=torch.bool).triu()
    rows = -(weighted @ k.mT).masked_fill(upper, 0)
    for i in range(1, chunk):
        update = (rows[..., i, :, None].clone() * rows[..., :, :i].clone()).sum(-2)
        rows[..., i, :i] = rows[..., i, :i] + update
    solver = rows + torch.eye(chunk)
    u, w = solver @ v, solver @ weighted
    state, out = v.new_zeros(*v.shape[:2], k.shape[-1], v.shape[-1]), []
    for n in range(q.shape[2]):
        fresh = u[:, :, n] - w[:, :, n] @ state
        scores = (q[:, :, n] @ k[:, :, n].mT).masked_fill(upper.triu(1), 0)
        out.append(q[:, :, n] @ state + scores @ fresh)
        state = state + k[:, :, n].mT @ fresh
    return torch.cat(out, 2)


def decoding(rounds: int, new_tokens: int = 256) -> dict:
    """Compare greedy decoding of a 5 M parameter Llama shape, batch 1, with ``transformers`` where it is installed."""
    config = ModelConfig(pattern="A" * 6, d_model=256, n_heads=8, vocab_size=1024, max_length=512)
    model = build(config).eval()
    start = torch.randint(1024, (1, 16), generator=torch.Generator().manual_seed(0))
    products = weight_products(model)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(new_tokens):
                for vector, weight in products:
                    F.linear(vector, weight)

    arms: Arms = {"seqmix": lambda: model.generate(start, new_tokens, temperature=0), "bare weight products": bare}
    if importlib.util.find_spec("transformers"):
        import transformers

        from seqmix_study.runs.export import llama_config, to_llama

        plain = {name: value for name, value in llama_config(config).items() if name != "architectures"}
        llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(**plain)).eval()
        llama.load_state_dict(to_llama(config, model.state_dict()), strict=False)
        options = {"max_new_tokens": new_tokens, "min_new_tokens": new_tokens, "do_sample": False, "pad_token_id": 0}
        arms["transformers generate"] = lambda: llama.generate(start, attention_mask=torch.ones_like(start), **options)
    answer = compare("decoding, 5 M parameters, batch 1", arms, rounds, new_tokens, type(for_decoding(model)).__name__)
    return answer | {"parameters": accounting.parameters(config)["total"]}


def weight_products(model) -> list:
    """Return (vector, matrix) of every product of one decoding step."""
    weights = [weight for name, weight in model.named_parameters() if weight.dim() == 2]
    return [(torch.randn(1, weight.shape[1]), weight.detach()) for weight in weights]


def run(rounds: int, nanogpt: Path | None = None, only: str = "") -> dict:
    """Run all comparisons whose name contains ``only``; return ``{"machine", "comparisons"}``."""
    plan: dict[str, Callable[[], dict]] = {}
    plan |= {f"training {shape}": lambda s=shape: training(s, rounds, nanogpt) for shape in SHAPES}
    plan |= {f"delta {length}": lambda t=length: delta(t, rounds) for length in (512, 4096)}
    plan["decoding"] = lambda: decoding(max(3, rounds // 2))
    return {"machine": machine(), "comparisons": [call() for name, call in plan.items() if only in name]}
