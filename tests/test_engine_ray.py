"""The Ray engine on a cluster of two local nodes: the same records; a node that is killed loses nothing."""

import os
import threading

import pytest

from seqmix.paths import Paths
from seqmix_study.runs import ray as engine_ray
from test_engine import grid, paths, run, value, wait_for  # noqa: F401 (paths is a fixture)

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two nodes of one core each besides a head that runs nothing; what the tasks log, and the second node."""
    from ray.cluster_utils import Cluster

    log = tmp_path_factory.mktemp("ray") / "log"
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("FAKE_LOG", str(log))  # tasks inherit the environment that their node was started with
    patch.setenv("FAKE_DELAY", "0.02")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    workers = [nodes.add_node(num_cpus=1) for _ in range(2)]
    patch.undo()
    ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
    yield log, lambda: nodes.remove_node(workers[1], allow_graceful=False)
    ray.shutdown()
    nodes.shutdown()


def test_a_cluster_gives_the_same_records_and_a_killed_node_loses_nothing(cluster, paths, monkeypatch):  # noqa: F811
    log, kill_node = cluster
    here, apart = Paths(paths.root / "here"), Paths(paths.root / "apart")
    run(grid(6, steps=40), here)

    with monkeypatch.context() as patch:
        patch.setattr(engine_ray, "_leave_sign", lambda runs: runs / "unseen")  # as on nodes without our disk
        summary = run(grid(2, steps=40), apart, engine="ray")
        assert summary.finished == 2, summary.problems
    assert [value(apart, c) for c in grid(2, 40)] == [value(here, c) for c in grid(2, 40)]
    assert (apart.runs / grid(1, 40)[0].run_id / "weights.pt").exists()

    log.write_text("")
    killer = threading.Thread(target=lambda: (wait_for(lambda: len(log.read_text().splitlines()) > 1), kill_node()))
    killer.start()
    summary = run(grid(6, steps=40), paths, engine="ray")
    killer.join()
    assert summary.finished == 6, summary.problems
    assert [value(paths, c) for c in grid(6, 40)] == [value(here, c) for c in grid(6, 40)]
    assert os.path.exists(log)
