# Two commands are enough: `make app` sets up and runs the app, `make test` sets up and runs every check.

PYTHON ?= python3
# Tests run in so many processes on two cores: while one waits for a browser or a job, two others work.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
export MPLBACKEND := Agg
unexport PYTHONDONTWRITEBYTECODE

# A process that crashes ends the run: with another in its place the tests it had left would be waited for without end.
SIDE_BY_SIDE = --numprocesses $(WORKERS) --max-worker-restart 0 --dist loadfile --no-loadscope-reorder
# Studies have tests of their own: `make experiments`.
PRODUCT = --ignore tests/experiments
# One thread in each of the processes beside each other: more would wait for one another.
test quick lowest: export OMP_NUM_THREADS := 1
test quick lowest: export OPENBLAS_NUM_THREADS := 1
# Tests write thousands of small files and see them safely on the disk: memory is quicker, where there is plenty of it.
IN_MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 8000000 { print $$6 }')
ifdef IN_MEMORY
test quick: export TMPDIR := $(IN_MEMORY)
endif
# Quick tests wait for nothing.
quick lowest: WORKERS := 2

.PHONY: setup app quick test experiments lowest fix browser screenshots bench cuda torture heads docs clean

setup: $(VENV)/.dev  ## make .venv with everything the app and its checks need

$(VENV)/.app: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@# For the command of that name, which messages advise.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/url-viz models prepare > /dev/null
	touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

app: $(VENV)/.app  ## set up and run the app in the browser
	$(BIN)/streamlit run app.py

browser: $(VENV)/.dev  ## make sure that a Chromium is there for the browser tests
	@sh tests/browser/find_chromium.sh $(BIN)/playwright

test: $(VENV)/.dev browser  ## run every check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@# Types are checked while tests wait for browsers and jobs.
	@$(BIN)/mypy & types=$$!; \
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PRODUCT) -m "not torture"; tests=$$?; \
	wait $$types || { echo "mypy failed: its errors are above."; exit 1; }; exit $$tests

quick: $(VENV)/.dev  ## lint, types, and the tests that take no browser, no model and no seconds: a minute on two cores
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PRODUCT) -m "not (slow or browser or torture or model)"

experiments: $(VENV)/.dev  ## the tests of studies and benchmarks, which no product hangs on
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r experiments/requirements.txt
	$(BIN)/python -m pytest tests/experiments

LOWEST := build/lowest

lowest:  ## run the quick tests with the lowest versions that the requirements allow (PYTHON=python3.14: on another Python)
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --python $(LOWEST) --resolution lowest-direct --only-binary :all: -r requirements-dev.txt
	nice $(LOWEST)/bin/python -m pytest $(SIDE_BY_SIDE) $(PRODUCT) -m "not slow and not browser and not torture"

fix: $(VENV)/.dev  ## let ruff mend format and lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.dev browser  ## redraw docs/screenshots and the first page's example from the demo image set
	$(BIN)/python -m tests.first_example
	$(BIN)/python -m tests.browser.screenshots docs/screenshots

DOCS := build/docs-env

docs: requirements-docs.txt  ## make the documentation a site in build/docs, with search and the API reference
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	$(DOCS)/bin/python docs/site/build.py

bench: $(VENV)/.dev  ## measure, and write build/performance.md
	$(BIN)/python -m benchmarks

cuda: $(VENV)/.dev  ## the tests that need an NVIDIA GPU, and embedding on it timed
	$(BIN)/python -m pytest -m cuda
	$(BIN)/python -m benchmarks.embedding --device cuda

torture: $(VENV)/.dev browser  ## the runs with many seeds or examples that are too long for `make test`
	$(BIN)/python -m pytest -m "torture or hypothesis" --hypothesis-profile thorough

PHOTOS ?= build/photos
# What each set is for is fixed: some train, on some choices were looked at, some are measured once.
LEARN := imagenet-samples imagen nips2017 imagenette-train imagewoof-train tiny-imagenet
DEVELOP := grocery trash scenes places
REPORT := caltech101 flowers102 cifar10-test imagenet-val-1000
PRETRAIN := $(BIN)/python -m training.pretrain $(LEARN:%=--data $(PHOTOS)/%) $(DEVELOP:%=--develop $(PHOTOS)/%) \
	$(REPORT:%=--report $(PHOTOS)/%) --votes $(PHOTOS)/cifar10h-counts.npy --votes-order $(PHOTOS)/cifar10h-order.txt \
	--votes $(PHOTOS)/imagenet-val-1000-votes.json --earlier experiments/heads/lite0-first-report.json
HEADS := url_viz/models/heads

heads: $(VENV)/.dev  ## train and measure the three shipped heads on the labelled folders in PHOTOS
	for name in lite0 lite1 lite2; do \
		$(PRETRAIN) --model tf_efficientnet_$$name --out build/heads/$$name || exit 1; \
		cp build/heads/$$name/head.safetensors $(HEADS)/tf_efficientnet_$$name.safetensors; \
		cp build/heads/$$name/head.md $(HEADS)/tf_efficientnet_$$name.md; \
		$(BIN)/python -m json.tool --compact build/heads/$$name/report.json experiments/heads/$$name-report.json; \
	done
	$(BIN)/python -m json.tool --compact build/heads/lite0/development.json experiments/heads/lite0-development.json

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
