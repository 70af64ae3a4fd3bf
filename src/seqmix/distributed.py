"""One long run on several processes (usually GPUs): ``torchrun --nproc-per-node 4 -m seqmix_study train STUDY``.

PyTorch's DistributedDataParallel averages the gradients; every process sees its rows of the same global batch, so the
run is the same as on one process up to the order of floating-point sums. Process 0 leads: it holds the lock, writes
the record, evaluates, and tells the others which run comes next.
"""

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seqmix import checkpoint
from seqmix.config import RunConfig, TrainConfig, parse_run
from seqmix.record import RunFolder
from seqmix.step import IGNORE, TrainStep

__all__ = ["SharedStep", "Spectator", "Team", "join"]


class Spectator(RunFolder):
    """The record as the processes that do not lead see it: they read it and write nothing."""

    def _nothing(self, *args: object, **kwargs: object) -> None:
        pass

    write_config = write_provenance = write_metrics = write_table = append_curve = _nothing
    replace_curve = note = finish = _nothing


class Team:
    """The processes of one ``torchrun``; made by :func:`join`."""

    def __init__(self, rank: int, size: int, place: torch.device) -> None:
        self.rank, self.size, self.place = rank, size, place

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes the record."""
        return self.rank == 0

    def rows(self, batch: Tensor) -> Tensor:
        """Return this process' rows of a global batch [B, ...]; raises ValueError if B does not divide evenly."""
        if len(batch) % self.size:
            raise ValueError(f"train.batch_size {len(batch)} must be a multiple of the {self.size} processes")
        share = len(batch) // self.size
        return batch[self.rank * share : (self.rank + 1) * share]

    def agree(self, stop: bool) -> bool:
        """Return whether any process wants to stop; all of them get the same answer."""
        flag = torch.tensor(float(bool(stop)), device=self.place)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)

    def announce(self, config: RunConfig | None) -> None:
        """Tell the others which run comes next (None: there is none left)."""
        dist.broadcast_object_list([config.model_dump(mode="json") if config else None], src=0, device=self.place)

    def listen(self) -> RunConfig | None:
        """Wait for the leader to say which run comes next."""
        said = [None]
        dist.broadcast_object_list(said, src=0, device=self.place)
        return parse_run(said[0]) if said[0] else None

    def resume(self, folder: RunFolder) -> dict | None:
        """Return the newest usable checkpoint on every process; the leader repairs first."""
        saved = checkpoint.resume(folder, str(self.place)) if self.leads else None
        dist.barrier()
        if self.leads or not folder.checkpoint.exists():
            return saved
        return checkpoint.load(folder.checkpoint, str(self.place))["state"]


class SharedStep(TrainStep):
    """The optimiser step on this process' rows; loss and gradient are those of the global batch."""

    def __init__(self, model: nn.Module, train_config: TrainConfig, team: Team) -> None:
        if train_config.accelerate != "none":
            raise ValueError(f"accelerate {train_config.accelerate!r} works on one process: train without torchrun")
        super().__init__(model, train_config, team.place)
        self.team = team
        self.model = DistributedDataParallel(model, device_ids=[team.place] if team.place.type == "cuda" else None)

    def __call__(self, inputs: Tensor, targets: Tensor, lr_scale: float) -> tuple[Tensor, Tensor]:
        """Like ``TrainStep``, with global ``inputs, targets [B, T]``; the returned loss sum is over all processes."""
        mine = self.team.rows(targets)
        loss_sum, grad_norm = super().__call__(self.team.rows(inputs), mine, lr_scale)
        # the mean of the processes' means is the global mean only if all of them score the same number of tokens
        if int((mine != IGNORE).sum()) * self.team.size != int((targets != IGNORE).sum()):
            raise ValueError("the processes would score different numbers of tokens; train this run on one process")
        dist.all_reduce(loss_sum)
        return loss_sum, grad_norm


_team: Team | None = None


def join() -> Team | None:
    """Return the team that ``torchrun`` started this process for, or None; connects on the first call."""
    global _team
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size <= 1 or _team is not None:
        return _team
    cuda = torch.cuda.is_available()
    place = torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else "cpu")
    if cuda:
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if cuda else "gloo")
    _team = Team(dist.get_rank(), dist.get_world_size(), place)
    return _team


def leave() -> None:
    """Disconnect from the team."""
    global _team
    if _team is not None:
        _team = None
        dist.destroy_process_group()
