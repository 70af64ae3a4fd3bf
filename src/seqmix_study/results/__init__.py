"""Run folders become committed tables, and tables are compared with each other. Never imports torch."""
