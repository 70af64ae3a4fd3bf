"""Power laws of the loss in size and data: fits, intervals, and the gates that say which of them may be quoted."""
