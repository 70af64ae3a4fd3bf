"""Models that answer in the page: plain JavaScript of our own, the files it reads, and the script that a page loads.

``export`` writes a trained model as one JSON file; ``models`` reads such files back and checks their seal; ``bundle``
joins the modules of this folder, one a mixer, to one script. Only ``export`` imports torch.
"""
