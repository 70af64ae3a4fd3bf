"""Cards of the corpora and of the models: what is typed here is where things come from; every number is computed."""

import pandas as pd

from seqmix_study.chapters.common import Tables, human, listing, several, span
from seqmix_study.chapters.marks import label
from seqmix_study.chapters.style import order

__all__ = ["check", "corpora", "corpus_fact", "corpus_text", "failures", "machines", "model_text", "models", "totals"]

CORPORA = {
    "stdlib": "Source text of CPython's own standard library, without its tests: the files of the Python that runs, "
    "so nothing is downloaded. Licence: Python Software Foundation. Split by file, identical files once. It is code, "
    "not prose: identifiers repeat over long distances. Results compare only between equal hashes.",
    "python": "Source text of CPython's own standard library, split by file so that more than a megabyte each is held "
    "out for validation and for test. Otherwise as `stdlib`.",
    "books": "Long English books, one file a book, split by the folders train, valid and test. Not part of this "
    "project: `SEQMIX_BOOKS` names the folder.",
    "prose": "Long English books from Project Gutenberg (public domain in the United States), one file a book, split "
    "by book. Not part of this project: `SEQMIX_PROSE` names the folder.",
    **dict.fromkeys(
        ("wikitext-103", "pg19", "tinystories", "fineweb-edu"),
        "A named public set, loaded through the library datasets.",
    ),
    "folder": "UTF-8 text files of the reader's own, split by file or by the folders train, valid and test.",
    "almanac": "Synthetic documents of global facts (the same in every document) and document facts (drawn anew). The "
    "optimal loss is known exactly at every token, so that a fit, a plateau and a floor can be checked.",
    "almanac-context": "The almanac with more values and a flatter choice of keys: what a document states is worth "
    "remembering through the whole window.",
    "almanac-12": "A small almanac, for stacks of twelve layers and for looking inside.",
    "almanac-gpu": "A large almanac for the GPU tier.",
    "markov": "A mixture of Markov chains, one chain a document: after a few dozen tokens nothing is left to gain, and "
    "every model must be flat. The negative control of the context chapter.",
    "first_token": "Random symbols; the first one must be named at the end. Only the answer is scored.",
    "mqar": "Multi-query associative recall: keys with values, then keys whose values are asked for. Only answers are "
    "scored.",
    "parity": "Zeros and ones; after each, whether the ones so far are even or odd.",
    "sum_mod5": "Digits 0 to 4; after each, the sum so far modulo 5.",
    "s3": "Permutations of three things; after each, the product so far.",
    "a5": "Even permutations of five things; after each, the product so far.",
    "boxes": "Keys are put into five boxes, boxes swap their contents; after every swap: where is this key now?",
}

FAMILIES = {
    "attention": "Softmax attention with rotary positions in the common block.",
    "lstm": "Long short-term memory: as the mixer of the common block, or as the classic stack without it.",
    "deltanet": "A linear recurrence that overwrites what is stored under a key (delta rule), in the common block.",
    "gated": "DeltaNet with a learned forgetting rate.",
    "hybrid": "Attention in some layers, DeltaNet in the others.",
}


def corpora(tables: Tables) -> pd.DataFrame:
    """Return one row a corpus version: hash, tokenizer, windows, runs, reference losses (nats a token)."""
    runs = tables.runs.drop_duplicates("run_id")
    rows = []
    for (source, sha), cell in runs.groupby(["source", "corpus_sha256"]) if len(runs) else ():
        rows.append(
            {
                "corpus": source,
                "sha256": sha[:16],
                "tokens are": listing(sorted(cell["tokenizer"].dropna().unique())),
                "window": listing(sorted(cell["seq_len"].unique())),
                "runs": len(cell),
                "studies": listing(sorted(set(tables.runs.loc[tables.runs["run_id"].isin(cell["run_id"]), "study"]))),
                **{name: cell[name].median() for name in ("uniform", "unigram", "bigram", "bayes")},
                "lowest loss": cell["loss"].min(),
            }
        )
    return pd.DataFrame(rows).dropna(axis=1, how="all")


def corpus_fact(source: str, runs: pd.DataFrame) -> str:
    """Say of one corpus where it comes from, how large its parts are, and what each of them was used for."""
    hashes = listing(sorted(f"`{str(h)[:12]}`" for h in runs["corpus_sha256"].unique()))
    count = f"{several(len(runs), 'run')}, {span(runs['params_non_embedding'])} parameters"
    origin = CORPORA.get(source, CORPORA["folder"]).split(". ")[0].rstrip(".")
    judged = runs["test_tokens"].dropna() if "test_tokens" in runs else ()
    on = "Losses are those of its validation part, which learning rates were chosen on as well."
    if len(judged):
        on = f"Each loss rests on {span(judged)} tokens of its test part, which no choice has seen."
    return f"Corpus `{source}` (sha256 {hashes}): {count}. {origin}: {_parts(runs)}. {on}"


def _parts(runs: pd.DataFrame) -> str:
    sizes = {part: runs[f"{part}_size"].dropna() for part in ("train", "valid", "test") if f"{part}_size" in runs}
    if len(sizes.get("train", ())) and not sizes["train"].max():
        return "generated without end, what is held out from seeds of its own"
    said = listing(f"{part} {span(found)} tokens" for part, found in sizes.items() if len(found))
    return said or "the sizes of its parts were not recorded"


def corpus_text(tables: Tables) -> list[str]:
    """Say where each corpus of these runs comes from."""
    names = sorted(tables.runs["source"].unique()) if len(tables.runs) else []
    said = [f"**{name}**: {CORPORA.get(name, CORPORA['folder'])}" for name in names]
    return said or ["No corpus was read at this tier."]


def check(tables: Tables) -> list[str]:
    """Check the synthetic sources: is any model below the optimal loss, which nothing can be?"""
    runs = tables.finished.drop_duplicates("run_id").dropna(subset=["excess"]) if len(tables.runs) else tables.runs
    if not len(runs):
        return ["No corpus of these runs knows its optimal loss."]
    below = runs[runs["excess"] < -3 * runs["loss_se"]]
    low = runs.loc[runs["excess"].idxmin()]
    found = f"found, and must not happen: {several(len(below), 'run')}, {listing(below['run_id'])}"
    verdict = found if len(below) else "none does"
    side = "above" if low["excess"] >= 0 else "below"
    return [
        f"{several(len(runs), 'run')} on sources whose optimal loss is known; one that ends below it by more than "
        f"three standard errors shows a broken source: {verdict}. The lowest of all is {label(low['arm'])} on "
        f"{low['source']}, {abs(low['excess']):.4f} nats {side} it."
    ]


def models(tables: Tables) -> pd.DataFrame:
    """Return one row an architecture: stack, sizes, learning rates, runs, hours."""
    runs = tables.runs.drop_duplicates("run_id")
    rows = []
    for arm in order(runs["arm"].unique()) if len(runs) else ():
        cell = runs[runs["arm"] == arm]
        stacks = sorted(set(cell["pattern"]), key=len)
        rows.append(
            {
                "architecture": label(arm),
                "layers": listing([*stacks[:3], f"{len(stacks) - 3} more"] if len(stacks) > 4 else stacks),
                "skeleton": listing(sorted(cell["skeleton"].unique())),
                "convolution": listing(sorted(set(cell["conv"].fillna("")) - {""})) or "none",
                "parameters": span(cell["params_non_embedding"]),
                "learning rates": span(cell["lr"]),
                "runs": len(cell),
                "not finished": int((cell["status"] != "finished").sum()),
                "hours": cell["seconds"].sum() / 3600,
            }
        )
    return pd.DataFrame(rows)


def model_text(tables: Tables) -> list[str]:
    """Say what the families of these runs are, and what they are for."""
    from seqmix_study.chapters.style import look

    if not len(tables.runs):
        return ["No model of this tier is on this machine or in the committed tables."]
    families = dict.fromkeys(look(arm).family for arm in order(tables.runs["arm"].unique()))
    lines = [FAMILIES[family] for family in families if family in FAMILIES]
    return [
        *lines,
        "All were trained for this comparison only: too small and too short for any other use, each on one of "
        f"{listing(sorted(tables.runs['source'].unique()))}, and never checked for what they might say.",
    ]


def failures(tables: Tables) -> list[str]:
    """Name every run that did not finish, with its reason."""
    runs = tables.runs.drop_duplicates("run_id")
    lost = runs[runs["status"] != "finished"] if len(runs) else runs
    lines = [f"{row.run_id}: {row.status} ({row.reason or 'no reason recorded'})." for row in lost.itertuples()]
    if not len(runs):
        return ["There is no run, so none failed."]
    return lines or [f"Runs that finished: {len(runs)} of {len(runs)}."]


def machines(tables: Tables) -> pd.DataFrame:
    """Return one row a machine and version of everything: device, hardware, python, torch, commit; runs and hours."""
    names = ["device", "hardware", "threads", "precision", "kernel", "python", "torch", "code_commit"]
    runs = tables.runs.drop_duplicates("run_id")
    if not len(runs):
        return pd.DataFrame(columns=names)
    grouped = runs.groupby(names, dropna=False)
    out = grouped.agg(runs=("run_id", "size"), hours=("seconds", lambda s: s.sum() / 3600)).reset_index()
    return out.assign(code_commit=out["code_commit"].astype(str).str[:12])


def totals(tables: Tables) -> list[str]:
    """Say what all runs cost together."""
    runs = tables.runs.drop_duplicates("run_id")
    if not len(runs):
        return ["There is no run of this tier on this machine or in the committed tables."]
    spent = f"{human(runs['tokens'].sum())} tokens, {human(runs['train_flops'].sum())} training FLOPs"
    hours = f"{runs['seconds'].sum() / 3600:.2f} hours of training"
    return [f"{several(len(runs), 'run')}, {spent}, {hours} summed over runs."]
