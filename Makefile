# The study in two commands: `make book` and `make test`. Needs only Python >= 3.11, make and git.
# PYTHON=python3.12 make book  chooses another interpreter; `seqmix` itself is .venv/bin/seqmix.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The tier of the committed tables that `make published` shows; PUBLISHED=gpu make published  chooses.
PUBLISHED ?= $(if $(wildcard results/laptop/runs.csv),laptop,$(if $(wildcard results/gpu/runs.csv),gpu,quick))

.PHONY: help setup book published test check engines classroom gpu pdf epub serve crawl clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

# pip is silent for minutes where no terminal looks on: say every half minute that it goes on.
TICK = while sleep 30 > /dev/null; do echo "installing for $$SECONDS s, $$(du -sm $(VENV) | cut -f1) MB so far"; done
PIP = @echo pip install $(1); ($(TICK)) & trap "kill $$!" EXIT; $(BIN)/python -m pip install --disable-pip-version-check $(1)

# The stamp is newer than what it depends on when the environment is up to date: a second `make book` installs nothing.
$(VENV)/.ready: requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call PIP,-c constraints.txt $$(grep -E '^torch==' requirements.txt))
	$(call PIP,-c constraints.txt -r requirements.txt)
	$(call PIP,--no-deps --no-build-isolation -e .)
	touch $@

# Ray is for the tests and for clusters; who wants the book needs none of its 79 MB. Where it cannot be had its test is skipped.
$(VENV)/.ray: $(VENV)/.ready
	$(call PIP,-e ".[ray]") && touch $@ || echo "no Ray here: its test is skipped"

setup: $(VENV)/.ready ## make .venv with the pinned packages

book: setup ## train at the quick tier, execute every chapter, build the book
	$(BIN)/seqmix run all
	$(BIN)/seqmix book

published: setup ## rebuild the book from the committed results: trains nothing
	$(BIN)/seqmix run all --no-train --tier $(PUBLISHED)
	$(BIN)/seqmix book

test: setup $(VENV)/.ray ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: setup ## style and tests (what seqmix book checks of pages it does whenever it builds)
	$(BIN)/ruff check src tests notebooks/lessons/checks
	$(BIN)/ruff format --check src tests notebooks/lessons/checks
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

engines: setup $(VENV)/.ray ## the engines for real: Ray from PyPI, a Slurm of one node from packages (sudo)
	$(if $(filter 0,$(shell id -u)),,sudo) bash tools/slurm.sh
	$(BIN)/python -m pytest tests/test_engine_ray.py tests/test_engine_slurm.py

classroom: setup ## notebooks and slides of the lessons, for students and for teachers
	$(BIN)/seqmix run all --no-train --tier $(PUBLISHED)
	$(BIN)/seqmix classroom

GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
STUDY = $(GPU_PYTHON) -m seqmix_study
gpu: export PYTHONPATH := src
gpu: ## on a borrowed GPU, about half an hour: what book/gpu.md says, in its order, then one archive of the records
	-$(GPU_PYTHON) -m pytest -m gpu -q -p no:cacheprovider
	-$(STUDY) train speed --tier gpu --budget-minutes 5
	-$(STUDY) train hybrids --tier gpu --ensemble --budget-minutes 8
	-$(STUDY) train frontier --tier gpu --ensemble --budget-minutes 9
	-$(STUDY) train boxes layers --tier gpu --ensemble --budget-minutes 3
	$(STUDY) pack gpu-runs.tar.xz

pdf: setup ## the whole book as one PDF (needs Chromium)
	$(BIN)/seqmix book --pdf

epub: setup ## the whole book as one EPUB
	$(BIN)/seqmix book --epub

crawl: setup ## open every page in headless Chromium (needs node and Chromium)
	$(BIN)/python tools/crawl.py

serve: ## read the built book at http://localhost:8000
	$(PYTHON) -m http.server --directory _build/html 8000

clean: ## remove what is built; runs/ and .venv stay
	rm -rf _build book/executed
