# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
SEED ?= 3407
RUN = .venv/bin/python

.PHONY: setup demo smoke test test-oldest test-gpu test-wheel soak app clean

setup: .venv/.installed

# TRL's dependencies would bring any torch: the constraints file says which.
.venv/.installed: constraints.txt
.venv-oldest/.installed: constraints-oldest.txt
.venv/.installed .venv-oldest/.installed: pyproject.toml
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check torch -c $(filter constraints%,$^)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c $(filter constraints%,$^)
	touch $@

demo: setup
	$(RUN) pipeline/demo.py --seed $(SEED)

smoke: setup
	$(RUN) pipeline/demo.py --seed $(SEED) --smoke

test: setup
	.venv/bin/ruff check .
	.venv/bin/lint-imports --no-logo
	.venv/bin/mypy
	OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 --ignore tests/oracle/log/test_crash.py --ignore tests/robustness
	OMP_NUM_THREADS=1 .venv/bin/pytest tests/robustness  # stops each command after 10 s, which a worker full of other tests delays
	.venv/bin/pytest tests/oracle/log/test_crash.py  # spawns processes of its own, which workers of pytest can't

# The trainer and the pipeline with the oldest TRL that is supported; `make test` has the newest.
test-oldest: .venv-oldest/.installed
	OMP_NUM_THREADS=1 .venv-oldest/bin/pytest -n 2 tests/trainer tests/pipeline

# What only a GPU shows, in under 8 minutes on one; vLLM where it is installed.
test-gpu: setup
	.venv/bin/pytest tests/gpu tests/pipeline/test_vllm_training.py

# The same tests on an installed wheel, by a user who can write neither it nor the source, in a folder with an odd name.
test-wheel: setup
	tests/installed.sh -n 2 --ignore tests/oracle/log/test_crash.py --ignore tests/robustness
	tests/installed.sh tests/robustness

# Writers, readers, a compactor and the app, killed at random; not part of CI.
MINUTES ?= 20
soak: setup
	$(RUN) -m tests.soak --minutes $(MINUTES)

app: setup
	.venv/bin/streamlit run app/main.py -- --store demo/store.duckdb

clean:
	rm -rf .venv .venv-oldest build *.egg-info
