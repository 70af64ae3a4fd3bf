"""Numbers that the founding documents print, and what their public sources add. Nothing here was measured by us.

"Printed" means the document itself; "public code" and "notebook" mean the public repositories behind documents 2 and 4
(``vukrosic/analysis-of-optimizers``, ``experiments/exp7_hybrid_deltanet_ablation``, and
``Rishabh23112/RNN_vs_Transformers``, read in November 2026; forks may differ from the run that was reported).
"""

# Document 0, printed: estimate and standard error of L(N) = c + a N^-alpha.
LSTM_FIT = {"alpha": (0.344289, 0.796058), "a": (10.0, 86.533291), "c": 3.196614}
TRANSFORMER_FIT = {"alpha": (-0.543590, 0.213005), "a": (0.000312, 0.001183), "c": 2.895249}

# Document 0, printed: best validation loss (nats) and parameters.
BEST = {"lstm": (3.248443, 10_274_594), "transformer": (3.249991, 117_504)}

HALVING = {"lstm": 7.49, "transformer": 0.28, "ratio": 26.80}
TIME_PER_PARAMETER = {"lstm": 4070.84, "transformer": 382.17}  # microseconds
BYTES_PER_PARAMETER = {"lstm": 180.72, "transformer": 1426.39}
LOSS_PER_HOUR = {"lstm": 18.626006, "transformer": 33.280448}

# Document 1, printed: axes, crossing and legend as the description gives them (sizes in parameters).
FIGURE_AXES = {"y": "linear", "later": "log-log", "x_low": 1e5, "x_high": 1e9}
FIGURE_CROSSING = 2e7
LEGEND = {"lstm": (4e5, 4e5, 2e6, 3e6), "transformer": (2e8, 3e8)}

# Document 2: loss by number of attention layers, 0 to 12. 0, 2, 3, 4, 5 and 12 printed, others public code.
HYBRID_LOSS = (4.396, 4.465, 4.055, 4.266, 4.272, 4.342, 4.440, 4.416, 4.407, 4.396, 4.427, 4.586, 5.146)

HYBRID_PRINTED = {"second": 4.266, "deltanet": 4.396, "transformer": 5.146, "winner": 4.055}
PRINTED_GAINS = {"second": 4.95, "deltanet": 8.40, "transformer": 26.90}  # percent, "statistical significance"
PERPLEXITY = 57.69
THROUGHPUT = {12: 282e3, 2: 118e3, 0: 102e3}  # tokens a second by attention layers, printed
MINUTES = {12: 0.87, 2: 2.08, 0: 2.41}
CHART = {"star": 4.0, "winner": 3.8, 8: 4.2}  # losses at which the drawn chart places its marks
MISLABELLED_THROUGHPUT = 223e3  # the row labelled 8 %, public report
POSITIONS = {"report": (3, 6), "code": (6, 12)}  # layers of the winner, counted from 1
LATE_LAYERS = (9, 10, 11, 12)  # attention of the third place, counted from 1, public code
NON_EMBEDDING = {"attention": 113e6, "deltanet": 227e6}  # derived from the public code's layer shapes
TOTAL_PARAMETERS = (188.7e6, 302.2e6)  # smallest and largest arm, public code
STEPS, SEQUENCES, LENGTH = 300, 48, 1024  # public code; tokens a run = their product
LR_GRID = (5e-4, 1e-3, 2e-3)  # public code
LR_USED = {"attention": 2e-3, "hybrid": 2e-3, "deltanet": 1e-3}
ARMS, RUNS_PER_ARM = 13, 1

# Document 3, printed code; 2048 is the default of nn.TransformerEncoderLayer.
DEMO = {"length": 10, "input": 128, "hidden": 64, "width": 128, "heads": 8, "mlp": 2048}

BENCHMARK = {"symbols": 99, "lstm_loss": 4.634, "transformer_loss": 3.968, "at_chance_until": 430}
BENCHMARK_SECONDS = {100: 0.072, 500: 0.007}  # LSTM, notebook
BENCHMARK_WIDTH, BENCHMARK_LAYERS = 128, 2  # speed test, notebook
COMMANDS = ("git clone", "cd")  # document 4, printed
