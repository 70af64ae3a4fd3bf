"""Is this machine ready? One finding a line, each with what to do about it."""

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from seqmix import provenance
from seqmix.paths import Paths
from seqmix_study.runs import memory

__all__ = ["Finding", "examine"]

OK, NOTE, PROBLEM = "ok", "note", "problem"

NEEDED_DISK = 2 * 2**30
NEEDED_MEMORY = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``level``: ok, note (works, but...) or problem (something will not work)."""

    level: str
    subject: str
    finding: str
    remedy: str = ""


def examine(paths: Paths | None = None) -> list[Finding]:
    """Look at Python, torch, device, kernels, versions, disk, memory, folders, records and the corpus."""
    paths = paths or Paths()
    findings: list[Finding] = []
    for look in (_python, _versions, _torch, _kernels, _machine, _folders, _disk, _records, _corpus):
        try:
            findings += look(paths)
        except Exception as error:  # a broken installation must not keep the others from being seen
            name = look.__name__.strip("_")
            findings.append(
                Finding(PROBLEM, name, f"{type(error).__name__}: {error}"[:300], "install the environment anew")
            )
    return findings


def _python(paths: Paths) -> Iterator[Finding]:
    yield Finding(OK, "python", f"{platform.python_version()}, {platform.system()} {platform.machine()}")


def pins(paths: Paths) -> dict[str, str]:
    """Return package -> version of ``requirements.txt``."""
    file = paths.root / "requirements.txt"
    if not file.is_file():
        return {}
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return dict(line.split("==", 1) for line in lines if "==" in line)


def _versions(paths: Paths) -> Iterator[Finding]:
    wanted = pins(paths)
    if not wanted:
        yield Finding(NOTE, "versions", "no requirements.txt beside this package", "compare versions with the book's")
        return
    missing, other = [], []
    for name, version in wanted.items():
        try:
            have = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if have.partition("+")[0] != version.partition("+")[0]:
            other.append(f"{name} {have} (pinned {version})")
    if missing:
        lost = f"not installed: {', '.join(missing)}"
        yield Finding(NOTE, "versions", lost, "pip install -r requirements.txt (training needs only a few)")
    if other:
        text = "numbers may differ in the last digits; pip install -r requirements.txt gives the pinned ones"
        yield Finding(NOTE, "versions", "; ".join(other), text)
    if not missing and not other:
        yield Finding(OK, "versions", f"all {len(wanted)} packages as pinned")


def _torch(paths: Paths) -> Iterator[Finding]:
    import torch

    torch.ones(8, 8).mm(torch.ones(8, 8))
    yield Finding(OK, "torch", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            found = torch.cuda.get_device_properties(number)
            yield Finding(OK, "gpu", f"{found.name}, {found.total_memory / 2**30:.0f} GiB")
    elif shutil.which("nvidia-smi"):
        text = "a driver is here, but this torch cannot use it"
        yield Finding(NOTE, "gpu", text, "install a torch built for CUDA to use it; everything works on the CPU")
    else:
        yield Finding(OK, "gpu", "none: the CPU trains (tiers quick and laptop)")


def _kernels(paths: Paths) -> Iterator[Finding]:
    import torch

    found = ["torch (delta rule in plain PyTorch, everywhere)"]
    try:
        version = importlib.metadata.version("flash-linear-attention")
        usable = torch.cuda.is_available()
        found.append(f"fla {version}" + ("" if usable else " (installed, but it needs a GPU)"))
    except importlib.metadata.PackageNotFoundError:
        found.append("fla not installed (optional: faster delta rule on GPUs)")
    yield Finding(OK, "kernels", "; ".join(found))


def _machine(paths: Paths) -> Iterator[Finding]:
    free = memory.available()
    text = f"{provenance.cpu_name()}, {provenance.cores()} cores, {free / 2**30:.1f} of "
    text += f"{memory.total() / 2**30:.1f} GiB free"
    if free < NEEDED_MEMORY:
        yield Finding(PROBLEM, "machine", text, "close something: two workers need about 2 GiB")
    else:
        yield Finding(OK, "machine", text)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 1.2 * provenance.cores():
        text = f"the machine is busy (load {load:.1f} on {provenance.cores()} cores)"
        yield Finding(NOTE, "load", text, "training works; measure speed when it is quiet")


def _folders(paths: Paths) -> Iterator[Finding]:
    yield Finding(OK, "project", str(paths.root))
    if not (paths.studies.is_dir() and any(paths.studies.glob("*.yaml"))):
        yield Finding(
            PROBLEM, "studies", f"{paths.studies} has no study", "start seqmix inside the project, or set SEQMIX_ROOT"
        )
    places = (("runs", paths.runs), ("results", paths.results), ("cache", paths.cache), ("book", paths.executed))
    for name, folder in places:
        place = next(path for path in (folder, *folder.parents) if path.exists())
        try:
            with tempfile.NamedTemporaryFile(dir=place):
                pass
            yield Finding(OK, name, f"{folder} is writable")
        except OSError as error:
            hint = {"runs": "set SEQMIX_RUNS to a folder you may write to", "cache": "set SEQMIX_CACHE likewise"}
            remedy = hint.get(name, "make it writable; reading the book and analysing work without")
            level = PROBLEM if name in hint else NOTE
            yield Finding(level, name, f"cannot write into {place}: {error.strerror}", remedy)


def _disk(paths: Paths) -> Iterator[Finding]:
    place = next(path for path in (paths.runs, *paths.runs.parents) if path.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / 2**30:.1f} GiB free for runs"
    if free < NEEDED_DISK:
        yield Finding(PROBLEM, "disk", text, "free some space, or set SEQMIX_RUNS to another disk")
    else:
        yield Finding(OK, "disk", text)


def _records(paths: Paths) -> Iterator[Finding]:
    from seqmix.record import run_folders

    folders = run_folders(paths.runs)
    broken = [folder for folder in folders if folder.status_unlocked() == "corrupt"]
    for folder in broken[:5]:
        finding, _, remedy = folder.problem().partition("; ")
        yield Finding(PROBLEM, "records", finding, remedy)
    yield Finding(OK, "records", f"{len(folders) - len(broken)} sound records in {paths.runs}")


def _corpus(paths: Paths) -> Iterator[Finding]:
    from seqmix import data
    from seqmix.config import DataConfig

    try:
        found = data.fingerprint(DataConfig())
        yield Finding(OK, "corpus", f"stdlib of Python {platform.python_version()}: {found[:12]}")
    except data.CorpusError as error:
        text = "use a Python with its library's sources, or a folder of text (-p path FOLDER)"
        yield Finding(PROBLEM, "corpus", str(error), text)
