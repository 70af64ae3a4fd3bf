"""The length at which a cache outgrows a state."""

from otter.test_files import test_case

from seqmix import accounting
from seqmix.config import ModelConfig
from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "state"
points = 1


@test_case(name="four pairs of models")
def pairs(outgrows):
    for d_model, heads, layers in ((64, 4, 2), (64, 1, 2), (96, 2, 3), (32, 8, 1)):
        attention = ModelConfig(pattern="A" * layers, d_model=d_model, n_heads=heads)
        delta = ModelConfig(pattern="D" * layers, d_model=d_model, n_heads=heads)
        got = number("outgrows(...)", call("outgrows", outgrows, attention, delta))
        expect(got == int(got) and got >= 1, f"A length is a whole number of tokens from 1 on, not {got:g}.")
        length = int(got)
        kept = {accounting.state_bytes(config, n) for config in (attention, delta) for n in range(1, 200)}
        expect(length not in kept, f"You return {length}, a number of bytes: the *length* was asked for.")
        here, there = (accounting.state_bytes(config, length) for config in (attention, delta))
        case = f"D={d_model}, {heads} heads: at {length} tokens attention keeps {here} bytes, DeltaNet {there}"
        expect(here != there, f"{case}. They are equal; larger was asked for.")
        half = " Twice the length is needed: is every number counted once?" if round(there / here, 1) == 2 else ""
        expect(here > there, f"{case}. Not yet larger.{half}")
        double = round(here / there, 1) in (1.9, 2.0, 2.1)
        expect(not double or length < 4, f"{case}, twice as much: a token leaves a key *and* a value in every layer.")
        before = accounting.state_bytes(attention, length - 1) if length > 1 else 0
        expect(before <= there, f"{case}. It was larger already at {length - 1}: return the smallest length.")
