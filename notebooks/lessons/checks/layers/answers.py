"""Answers to scenes of the task, against the task's own generator."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, expect, withheld

OK_FORMAT = False
name = "answers"
points = 1


@withheld
def SCENES():
    """(scene, right answers, where the keys were put) of windows of the task."""
    import numpy as np

    from seqmix.data import boxes

    found = []
    for seed in range(12):
        window = boxes.Boxes.open(26, keys_most=4, swaps_most=8)._draw(np.random.default_rng(seed), 1, 8)
        tokens, targets = window[0][0], window[1][0]
        scene, right, at = [], [], 0
        while at < len(tokens) and tokens[at] != boxes.PAD:
            token, following = int(tokens[at]), int(tokens[at + 1])
            if token == boxes.ASK or boxes.SWAP <= token < boxes.KEY:
                if token != boxes.ASK:
                    scene.append(["swap", *boxes.PAIRS[token - boxes.SWAP]])
                scene.append(["ask", f"key{following - boxes.KEY}"])
                right.append(int(targets[at + 1]) - boxes.BOX)
            else:
                scene.append(["put", f"key{token - boxes.KEY}", following - boxes.BOX])
            at += 2
        first = {what[1]: what[2] for what in scene if what[0] == "put"}
        found.append([scene, right, [first[what[1]] for what in scene if what[0] == "ask"]])
    return found


def of(answers, scene):
    got = call("answers", answers, list(scene))
    try:
        lost = [box is None for box in got]
        expect(not any(lost), "For a key that has a box you answer None: where did it go? A box may hold many keys.")
        return [int(box) for box in got]
    except (TypeError, ValueError):
        raise Hint("Return a list of boxes, one number for each question.") from None


@test_case(name="small scenes")
def small(answers):
    put = [("put", "red", 0), ("put", "blue", 3)]
    for scene, want, why in (
        ([*put, ("ask", "blue")], [3], "No swap: the key is where it was put."),
        (
            [*put, ("swap", 0, 4), ("ask", "red"), ("ask", "blue")],
            [4, 3],
            "Red is in a box of the swap and is moved, once; blue is in neither.",
        ),
        ([*put, ("swap", 0, 3), ("ask", "red"), ("ask", "blue")], [3, 0], "Both boxes of the swap hold a key."),
        ([*put, ("ask", "red"), ("swap", 0, 1), ("ask", "red")], [0, 1], "A question asks for now, not for the end."),
        ([("put", "red", 2), ("put", "blue", 2), ("swap", 1, 2), ("ask", "blue")], [1], "A box may hold two keys."),
    ):
        got = of(answers, scene)
        expect(len(got) == len(want), f"{len(want)} questions, {len(got)} answers. One box for every question.")
        expect(got == want, f"For {scene} you answer {got}. {why}")


@test_case(name="scenes of the task")
def scenes(answers):
    scenes = [[[tuple(what) for what in told], *more] for told, *more in SCENES()]
    ignored = all(of(answers, scene) == at_first for scene, _, at_first in scenes)
    expect(not ignored, "You answer where the keys were put: the swaps are ignored.")
    for scene, right, _ in scenes:
        got = of(answers, scene)
        expect(got == right, f"For {scene} the answers {got} are not right. Move *every* key that is in a swapped box.")
