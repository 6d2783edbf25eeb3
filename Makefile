# The lab's commands. `make` alone lists them. Every one sets up .venv first, if need be.

PYTHON ?=
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo lab test check bench hostile-baseline release pictures lock upgrade clean

# Two kernels with two threads each wait for one another: one thread where work runs side by side.
demo test bench hostile-baseline pictures: export OMP_NUM_THREADS := 1
demo test bench hostile-baseline pictures: export OPENBLAS_NUM_THREADS := 1

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## grade a sample class, print its table, write its report
	@$(BIN)/cs231n demo

lab: $(READY) ## open the assignment in JupyterLab
	@$(BIN)/cs231n lab

test: $(READY) ## every test: helpers, exercises, grading, notebooks, browser
	@$(BIN)/python -m pytest -n 2 --dist loadfile --nbval-lax --nbval-current-env tests solutions

check: $(READY) ## ruff, and mypy in strict mode
	@$(BIN)/ruff check
	@$(BIN)/mypy

bench: $(READY) ## measure speed against its bars, write bench/RESULTS.md
	@$(BIN)/python -m bench

hostile-baseline: $(READY) ## the hostile submissions under stock nbgrader: slow
	@$(BIN)/python tests/hostile/baseline.py

release: $(READY) ## make the assignments anew from the solutions
	@$(BIN)/cs231n release

pictures: $(READY) ## draw the README's pictures anew
	@$(BIN)/python -m docs.make_pictures

lock: $(READY) ## requirements.lock from pyproject.toml, keeping the pins that still fit
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-annotate \
	    --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock $(FRESH)

upgrade: FRESH := --upgrade
upgrade: lock ## the same with the newest versions

clean: ## remove .venv, caches and the demo's class
	rm -rf .venv demo build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Plain pip, pinned versions; and no question about news on a student's first screen, which it would
# fetch from the internet. The stamp is written last, so an interrupted set-up starts over.
$(READY): requirements.lock pyproject.toml
	@set -eu; found=; \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14 python; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        found=$$python; break; fi; done; \
	if [ -z "$$found" ]; then \
	    echo "No Python 3.11 or newer found." >&2; \
	    echo "Install one (python.org, your system's packages, conda or pyenv)," >&2; \
	    echo "then say: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Making .venv with $$("$$found" --version)"; rm -rf .venv; \
	    "$$found" -m venv .venv || { echo "On Debian and Ubuntu: apt install python3-venv" >&2; \
	        exit 1; }; fi; \
	echo "Installing what requirements.lock names: about 5 GB on Linux, 2 to 10 minutes"; \
	if [ -t 1 ]; then quiet=; else quiet=-qq; fi; \
	pip="$(BIN)/python -m pip --disable-pip-version-check install $$quiet"; \
	$$pip -r requirements.lock; \
	$$pip --no-deps -e .; \
	$(BIN)/jupyter labextension disable --level=sys_prefix \
	    "@jupyterlab/apputils-extension:announcements" >/dev/null 2>&1 || true; \
	touch $(READY)
