"""Start the runs of a study on one machine or many, and keep, pack and export what they leave. May import torch."""
