# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
SEED ?= 3407
RUN = .venv/bin/python

.PHONY: setup demo smoke test app clean

setup: .venv/.installed

# TRL's dependencies would bring any torch: the constraints file says which.
.venv/.installed: pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check torch -c constraints.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	touch $@

demo: setup
	$(RUN) pipeline/demo.py --seed $(SEED)

smoke: setup
	$(RUN) pipeline/demo.py --seed $(SEED) --smoke

test: setup
	.venv/bin/ruff check .
	.venv/bin/mypy
	OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 --ignore tests/oracle/test_log_crash.py
	.venv/bin/pytest tests/oracle/test_log_crash.py  # spawns processes of its own, which workers of pytest can't

app: setup
	.venv/bin/streamlit run app/main.py -- --store demo/store.duckdb

clean:
	rm -rf .venv build *.egg-info
