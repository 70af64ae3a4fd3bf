"""Every column of the result tables: its kind, unit and meaning. ``results/README.md`` is written from this.

A table refuses a column that is not here, so a new measurement adds its line here first.
"""

from typing import NamedTuple

__all__ = ["KEYS", "TABLES", "Column", "dictionary"]


class Column(NamedTuple):
    """One column: ``kind`` is text, int or float; ``unit`` is empty for names and pure numbers."""

    name: str
    kind: str
    unit: str
    meaning: str


def _columns(*lines: str) -> tuple[Column, ...]:
    return tuple(Column(*(part.strip() for part in line.split("|"))) for line in lines)


RUN = _columns(
    "study | text | | study that asked for the run",
    "tier | text | | quick, laptop or gpu",
    "group | text | | part of the study",
    "arm | text | | architecture by its name in the study",
    "family | text | | the family that the arm stands for: its best member on 'valid' is evidence; else the arm itself",
    "size | text | | size by its name in the study",
    "role | text | | evidence, sweep (a trial of a rate), choice (lost to a sibling on 'valid') or check (of a rule)",
    "place | text | | where the attention layers stand, in stacks that are compared by place",
    "control | text | | what the arm is a control for",
    "run_id | text | | readable name and hash of everything that decides the numbers",
    "status | text | | finished, diverged or failed",
    "reason | text | | why a run diverged or failed",
    "source | text | | corpus or synthetic source",
    "corpus_sha256 | text | | hash of the corpus and its split, or of the generator and its parameters",
    "tokenizer | text | | bytes, or bpe-<vocabulary>",
    "pairs | int | | key-value pairs (task mqar)",
    "keys_most | int | | most keys of a training sequence (task boxes)",
    "swaps_most | int | | swaps of a training sequence (task boxes)",
    "train_tokens | int | tokens | training text was cut to so many tokens; 0: all of it",
    "train_size | int | tokens | the training part of the text; 0: generated; empty: the text was not there",
    "valid_size | int | tokens | its validation part; empty where nothing is read",
    "test_size | int | tokens | its test part; empty where nothing is read",
    "seed | int | | seed of the initial weights",
    "data_seed | int | | seed of the order of the data",
    "pattern | text | | one letter a layer: A attention, D DeltaNet, G Gated DeltaNet, L LSTM",
    "skeleton | text | | block (modern block) or classic (stacked LSTM)",
    "conv | text | | mixers with a short convolution",
    "n_layers | int | | layers",
    "d_model | int | | model width",
    "n_heads | int | | heads",
    "mlp_width | int | | width of the SwiGLU",
    "forget_bias | float | | forget-gate bias of the LSTM at the start",
    "forget_init | text | | constant or chrono",
    "seq_len | int | tokens | length of a training window",
    "batch_size | int | sequences | sequences a step",
    "steps | int | steps | optimiser steps planned",
    "steps_done | int | steps | optimiser steps done (fewer if the target was reached or the run diverged)",
    "lr | float | | peak learning rate at the reference width",
    "sweep | text | | the sweep, or the rate law, that the rate came from",
    "optimum | text | | interior, edge, law (predicted and checked) or none",
    "lr_optimum | float | | rate at the lowest point of the sweep's parabola, or of the law",
    "curvature | float | nats/octave^2 | second coefficient of that parabola in log2 of the rate",
    "regret | float | nats/token | what the rate used costs against the best one (of a law: at its checks)",
    "regret_hi | float | nats/token | its upper bound, 90 %",
    "trials | int | | runs spent on the arm's rates in this study",
    "trial_flops | float | FLOP | their training FLOPs",
    "split | text | | held-out text of the published loss",
    "tokens | int | tokens | training tokens seen",
    "params_total | int | | parameters",
    "params_non_embedding | int | | parameters without the embedding",
    "train_flops | float | FLOP | training FLOPs by the closed forms of accounting.py",
    "state_bytes | int | bytes | state of one sequence of seq_len tokens when decoding (KV cache or recurrent state)",
    "loss | float | nats/token | loss on the held-out windows of the split",
    "loss_valid | float | nats/token | loss on 'valid', which rates and depths are chosen by",
    "accuracy_valid | float | | share of scored tokens predicted right on 'valid' (recall and state tracking)",
    "test_tokens | int | tokens | scored tokens of the split",
    "loss_se | float | nats/token | its standard error over windows",
    "bits_per_byte | float | bits/byte | the loss in bits a byte of text",
    "accuracy | float | | share of scored tokens predicted right (recall tasks)",
    "uniform | float | nats/token | loss of the uniform guess",
    "unigram | float | nats/token | loss of token frequencies",
    "bigram | float | nats/token | loss of token-pair frequencies",
    "bayes | float | nats/token | loss of the optimal predictor on the same tokens, where it is known",
    "excess | float | nats/token | loss - bayes",
    "train_loss | float | nats/token | running training loss at the end",
    "grad_norm_max | float | | largest gradient norm before clipping",
    "reached_target_at_step | int | steps | step at which target_accuracy or target_loss was reached; 0: never",
    "tokens_per_second | float | tokens/s | training speed of this run beside whatever else ran (not a measurement)",
    "seconds | float | s | training time, interruptions left out",
    "device | text | | cpu or cuda",
    "kernel | text | | delta-rule kernel that ran",
    "precision | text | | float32, or bfloat16 autocast",
    "threads | int | | CPU threads of the process",
    "code_commit | text | | commit of the code; +dirty: its sources differed",
    "python | text | | version",
    "torch | text | | version",
    "hardware | text | | processor or GPU model",
    "finished_at | text | UTC | when the record was sealed",
)

BLOCKS = _columns(
    "study | text | | study",
    "run_id | text | | run",
    "block | int | | stretch of the test text (or group of generated sequences), the same for every run",
    "loss | float | nats/token | mean loss in the block",
    "count | int | tokens | tokens in the mean",
)

CURVES = _columns(
    "study | text | | study",
    "run_id | text | | run",
    "step | int | steps | optimiser steps done",
    "tokens | int | tokens | training tokens seen",
    "flops | float | FLOP | training FLOPs spent",
    "seconds | float | s | training time so far",
    "loss | float | nats/token | loss on the held-out windows",
    "loss_se | float | nats/token | its standard error over windows",
    "bayes | float | nats/token | loss of the optimal predictor on the same tokens",
    "accuracy | float | | share of scored tokens predicted right (recall tasks)",
    "train_loss | float | nats/token | running training loss",
    "lr | float | | learning rate",
    "grad_norm | float | | gradient norm before clipping",
    "grad_first | float | | gradient norm of the answer's loss at the first token's embedding (first_token)",
    "grad_last | float | | the same at the last token's embedding",
)

CONTEXT = _columns(
    "study | text | | study",
    "run_id | text | | run",
    "measure | text | | index, longer, beyond, truncate, shuffle, swap or age",
    "kind | text | | all, or value: tokens that state a fact of a synthetic source (other kinds stay in the records)",
    "lo | int | tokens | lo <= token index (from 1), visible tokens or age",
    "hi | int | tokens | ... < hi",
    "block | int | | group of evaluation windows, the same windows for every run: the bootstrap resamples blocks",
    "loss | float | nats/token | mean loss in the block",
    "bayes | float | nats/token | mean loss of the optimal predictor on the same tokens",
    "count | int | tokens | tokens in the mean",
)

RECALL = _columns(
    "study | text | | study",
    "run_id | text | | run",
    "task | text | | first_token or mqar",
    "distance | int | tokens or pairs | delay in tokens, or number of pairs",
    "step | int | steps | training steps done",
    "accuracy | float | | share of queries answered right",
    "loss | float | nats/token | loss of the queries",
    "chance | float | | accuracy of guessing",
    "count | int | tokens | queries scored",
)

PROBES = _columns(
    "study | text | | study",
    "run_id | text | | run",
    "task | text | | parity, sum_mod5, s3, a5 or boxes",
    "measure | text | | tracking or boxes",
    "load | int | | keys to remember (boxes); 0: none",
    "lo | int | steps | lo <= swaps so far (boxes) or factors so far (tracking)",
    "hi | int | steps | ... < hi",
    "accuracy | float | | share of questions answered right",
    "count | int | | questions scored; those of one sequence are not independent",
    "chance | float | | accuracy of guessing",
    "unbound | float | | accuracy of who follows the swaps but does not know which key is in which box (boxes)",
    "unmoved | float | | accuracy of who knows where each key was put but does not follow the swaps (boxes)",
)

SPEED = _columns(
    "study | text | | study",
    "tier | text | | tier",
    "group | text | | part of the study",
    "run_id | text | | measurement: one process in which all arms are interleaved",
    "arm | text | | architecture; <arm>_again is the same one once more, to show the noise",
    "mode | text | | train, prefill, decode or a demonstration by name",
    "length | int | tokens | sequence length, or context when decoding",
    "batch_size | int | sequences | sequences a call",
    "repeat | int | | round",
    "seconds | float | s | time of one call",
    "tokens | int | tokens | tokens a call",
    "params_non_embedding | int | | parameters without the embedding",
    "state_bytes | int | bytes | state that decoding keeps, all sequences together",
    "peak_bytes | int | bytes | memory kept for the backward pass (training)",
    "device | text | | cpu or cuda",
    "hardware | text | | processor or GPU model",
    "threads | int | | CPU threads",
    "precision | text | | float32 or bfloat16",
    "kernel | text | | delta-rule kernel",
    "torch | text | | version",
    "order | int | | position in the interleaved schedule",
)

INSIDE = _columns(
    "study | text | | study",
    "run_id | text | | run",
    "arm | text | | architecture",
    "method | text | | method that looks inside",
    "score | text | | what is scored (see interpret.py)",
    "query | text | | which queries, where a method tells several kinds apart",
    "value | float | | mean over the queries",
    "se | float | | its standard error",
    "queries | int | | queries in the mean",
)

TABLES: dict[str, tuple[Column, ...]] = {
    "runs": RUN,
    "blocks": BLOCKS,
    "curves": CURVES,
    "context": CONTEXT,
    "recall": RECALL,
    "probes": PROBES,
    "speed": SPEED,
    "inside": INSIDE,
}

KEYS: dict[str, tuple[str, ...]] = {
    "runs": ("study", "group", "arm", "run_id"),
    "blocks": ("study", "run_id", "block"),
    "curves": ("study", "run_id", "step"),
    "context": ("study", "run_id", "measure", "kind", "lo", "hi", "block"),
    "recall": ("study", "run_id", "task", "distance", "step"),
    "probes": ("study", "run_id", "measure", "load", "lo"),
    "speed": ("study", "run_id", "order"),
    "inside": ("study", "run_id", "arm", "method", "score", "query"),
}
"""Columns that a table is sorted by; together they name a row."""

KINDS = ("all", "value")
"""Kinds of token whose losses are published: those that a chapter reads (the others are half of all rows)."""

ABOUT = {
    "runs": "One row a run and place in a study: a run that two studies or groups ask for has two rows that differ "
    "only in study, group and arm.",
    "blocks": "The published loss by stretch of the test text: resampling stretches says what other text would change.",
    "curves": "One row an evaluation on 'valid' during training.",
    "context": "How the loss depends on the text before the token, one row a block of evaluation windows.",
    "recall": "Accuracy on the recall tasks.",
    "probes": "Accuracy on the tasks that track a state, by what must be remembered and by how often it changed.",
    "speed": "One row a timed call; medians, ratios and their intervals are made by the analysis.",
    "inside": "What was found inside the models.",
}


OTHERS = """\
## Beside the tables

* `configurations.json`: run_id -> the fields of the run that are not at their default. `seqmix.config.parse_run` gives
  the run back; its run_id is the hash of these fields.
* `findings.csv`, `verdicts.csv` : one row for every effect and condition, and one for every
  claim, written by `seqmix findings`; their columns are explained in `book/findings.md`.
* `samples.json`: what the largest byte-level models write (`python -m seqmix_study.runs.samples_and_traces TIER`).
* `traces.json`: what went on inside the models of the study `inside` while they read one document (attention, gates,
  highlights), and over many (gates by class of token, sources of facts stated once); written by the same command.
* `manifest.json`: hash and rows of every file beside it. Whoever reads a table checks it against this; a file that was
  edited, cut, lost or added by hand is refused by name. Only `seqmix collect` and `seqmix findings` write it.
"""


def dictionary() -> str:
    """Return ``results/README.md``."""
    parts = [
        "# Result tables\n",
        "Written by `seqmix collect` from the records in `runs/`; never edited by hand. One folder a tier "
        "(`quick` is not committed: it is a check that everything works, not evidence). Numbers have six significant "
        "digits; an empty cell means that the quantity does not exist for that row. This page is written from "
        "`src/seqmix_study/results/columns.py`.\n",
    ]
    for name, columns in TABLES.items():
        parts.append(f"## {name}.csv\n\n{ABOUT[name]}\n\nRows are named by: {', '.join(KEYS[name])}.\n")
        lines = ["| column | kind | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| {c.name} | {c.kind} | {c.unit or '–'} | {c.meaning} |" for c in columns]
        parts.append("\n".join(lines) + "\n")
    parts.append(OTHERS)
    return "\n".join(parts)
