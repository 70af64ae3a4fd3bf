"""What chapter notebooks call: their tables, figures and words. Never imports torch."""
