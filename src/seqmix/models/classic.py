"""The classic stacked LSTM language model that Kaplan et al. (2020, fig. 7) compare: no MLP, no residual path.

Embedding -> 1, 2 or 4 LSTM layers of width D -> norm -> head; 8 D² + 4 D parameters a layer. The last norm and the tied
head are those of the block skeleton, so that the two differ in the layers only.
"""

from torch import nn

from seqmix.config import ModelConfig
from seqmix.models.lm import LanguageModel
from seqmix.models.lstm import LSTMLayer


class ClassicLSTM(LanguageModel):
    """Stacked LSTM; the interface of every language model here (``lm.LanguageModel``)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(LSTMLayer(config.d_model, config.d_model) for _ in config.pattern)
