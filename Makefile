# make        installs everything into .venv
# make demo   installs and runs the demo study, from painted slides to a report
# make demo-survey  runs the released detector of the demo on a painted survey
# make test   installs and runs the checks

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
CORES ?= all
STARTER := results/starter/models/yolov5n_scratch/seed-1
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) --workflow-profile workflow/profiles/local

.PHONY: install demo demo-survey test lint format starter lock simulation survey-simulation painted-surveys test-slow test-models test-slurm test-gridengine test-schedulers benchmarks clean-demo

install: $(INSTALLED)

$(INSTALLED): envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Podura needs Python 3.11 or later, this is " + sys.version if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (several GB with PyTorch; once only) ..."
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -r envs/requirements.lock
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/python scripts/unlock.py
	@$(SNAKEMAKE) --quiet reason

# After the demo: its detector on 12 painted samples of two sites, one of them unlike the slides of the study.
demo-survey: $(INSTALLED)
	@$(BIN)/python scripts/unlock.py
	@$(SNAKEMAKE) --quiet reason --configfile config/studies/demo_survey.yaml -- survey

test: $(INSTALLED) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not models and not slurm and not gridengine and not schedulers" -n 3 --dist loadfile --no-loadscope-reorder

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

# Every detector of config/models.yaml, in under half an hour on two cores.
test-models: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m models -n 2 tests/models

# A SLURM of this machine alone, started and stopped by the tests; root on Debian installs it first.
test-slurm: $(INSTALLED)
	$(BIN)/python tests/slurm/cluster.py install
	$(BIN)/python -m pytest -m slurm tests/slurm

# The same with Debian's Grid Engine, which is unpacked for the tests and not installed; root.
test-gridengine: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m gridengine tests/gridengine

# The executor plugins of LSF and HTCondor, from PyPI; their schedulers are played by the tests.
test-schedulers: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m schedulers tests/schedulers

# Whether certified thresholds and intervals keep their promise, on drawn studies: writes resources/{certification,intervals}.
simulation: $(INSTALLED)
	PYTHONPATH=scripts:tests $(BIN)/python tests/benchmarks/certification.py
	PYTHONPATH=scripts:tests $(BIN)/python tests/benchmarks/interval_coverage.py

# Whether intervals of counts hold the animals, on drawn surveys: writes resources/survey_counts.
survey-simulation: $(INSTALLED)
	OMP_NUM_THREADS=1 PYTHONPATH=scripts:tests $(BIN)/python tests/benchmarks/survey_counts.py

# The same for the demo's detector, on its survey painted anew five times; after make demo.
painted-surveys: $(INSTALLED)
	PYTHONPATH=scripts:tests $(BIN)/python tests/benchmarks/painted_surveys.py --cores $(CORES)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# Trains the starter weights of yolov5n that the repository ships, from scratch, on painted slides.
starter: $(INSTALLED)
	$(SNAKEMAKE) --configfile config/studies/starter.yaml -- $(STARTER)/weights.safetensors
	$(BIN)/python scripts/starter.py --model $(STARTER) \
	  --output resources/weights/yolov5n_painted_starter.safetensors

lock: envs/requirements.in envs/requirements.overrides
	$(BIN)/python -m pip install --quiet uv
	cd envs && ../$(BIN)/uv pip compile requirements.in --override requirements.overrides \
	  --universal --python-version 3.11 --upgrade --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate -o requirements.lock
