"""The Ray engine on a cluster of two local nodes: the same records; a node that is killed loses nothing."""

import threading

import pytest

from seqmix.paths import Paths
from test_engine import grid, paths, run, value, wait_for  # noqa: F401 (paths is a fixture)

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two nodes of one core each besides a head that runs nothing; what the workers log, and the second node."""
    from ray.cluster_utils import Cluster

    log = tmp_path_factory.mktemp("ray") / "log"
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("FAKE_LOG", str(log))  # workers inherit the environment that their node was started with
    patch.setenv("FAKE_DELAY", "0.02")
    patch.setenv("FAKE_MEET", "2")  # both nodes train before one is killed
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    workers = [nodes.add_node(num_cpus=1) for _ in range(2)]
    patch.undo()
    ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
    yield log, lambda: nodes.remove_node(workers[1], allow_graceful=False)
    ray.shutdown()
    nodes.shutdown()


def test_a_cluster_gives_the_same_records_and_a_killed_node_loses_nothing(cluster, paths):  # noqa: F811
    log, kill_node = cluster
    here = Paths(paths.root / "here")
    run(grid(6, steps=40), here)
    killer = threading.Thread(
        target=lambda: (wait_for(lambda: len(log.read_text().splitlines()) > 1, 150), kill_node())
    )
    log.write_text("")
    killer.start()
    summary = run(grid(6, steps=40), paths, jobs=2, how="ray")
    killer.join()
    assert summary.finished == 6, summary.problems
    assert [value(paths, c) for c in grid(6, 40)] == [value(here, c) for c in grid(6, 40)]
