# The targets, one for each thing to do; the repository's Makefile includes this file.
# They need Python 3.11 or newer, make and git; everything else goes into .venv.

# Where that is. One named by VENV=/another/folder is used as it is: nothing is installed there.
VENV ?= .venv

# The first of these that serves is used; name another with `make setup PYTHON=...`.
PYTHON = python3 python3.13 python3.12 python3.11 python3.14 python

# The versions the tests are run on, and where pyenv keeps those it does not put on the PATH.
TESTED = $(shell sed -n 's/.*:: Python :: \(3\.[0-9]*\)",.*/\1/p' pyproject.toml 2>/dev/null)
PYENV = $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions

STEPS = plan check-release all-green comment ci check-data train evaluate report gate export package \
  image sbom sign serve promote propose due deploy advance loadtest rollback render status monitor retrain \
  down start doctor github-setup demo audit schema dashboards release upgrade thin thick

# The machinery in the tree comes before one that is installed.
export PYTHONPATH := $(if $(wildcard machinery/mlops),$(CURDIR)/machinery:)$(PYTHONPATH)

# Steps hand on files, so one follows the other, whatever MAKEFLAGS says.
.NOTPARALLEL:
.PHONY: help setup replay test test-all check format picture gate-study lock compile wheel check-tag publish clean again audit-workflows $(STEPS)

help:
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} \
	  /^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Everybody

demo:  ## Show a model's whole life on the example, from the data to production and back

setup: $(VENV)/stamp ## Install requirements.txt into .venv; other targets do it when needed
	@echo "$(VENV) is ready: $$($(VENV)/bin/python --version)"

test: $(VENV)/stamp ## Run the tests (ARGS="-k gate" for some of them)
	@$(VENV)/bin/python -m mlops.ci.suites $(ON_ALL_CORES) $(ARGS)

check: $(VENV)/stamp ## Run the fast checks of .pre-commit-config.yaml on every file
	@$(VENV)/bin/python -m pre_commit run --all-files $(ARGS)

clean: ## Stop what runs here, then remove build/ and .venv, local releases included
	@for place in . build/demo/repository; do \
	  if [ -x .venv/bin/python ] && [ -d $$place/build/live ]; then \
	  (cd $$place && "$(CURDIR)/.venv/bin/python" -m mlops down) || true; fi; done
	@rm -rf build .venv .pytest_cache

##@ Develop a model (ARGS="..." goes to the step; ARGS=--help explains it)

check-data: ## Check the data against their schema and against earlier partitions
train:      ## Train the candidate
evaluate:   ## Measure candidate and champion on the same held-out rows
report:     ## Write the report: verdict, rules, metrics, plots
gate:       ## Judge whether this change may be merged: pass, fail or inconclusive, with the reason
export:     ## Convert the model and compare its scores, size and time: TO=onnx
package:    ## Pack the model into a bundle and seal a release
image:      ## Build the bundle's image, push it and pin it in the release
sbom:       ## List what the release contains: packages, model, data (CycloneDX)
serve:      ## Run what was packed last, and print a request to ask it with
sign:       ## Sign what was built (ARGS="--new-key NAME" makes a key)

##@ Answer a pull request

ci:         ## Run a pull request's required checks here, on this Python, with the same summary
plan:       ## Say which jobs this change needs, on which Pythons and runner (BASE_SHA=...)
check-release: ## Check that this change moves a release only as it may
all-green:  ## Check that every job ended as the plan says; reads NEEDS, as Actions gives it
comment:    ## Write the comment for a pull request from the report of a run: RUN=<its id>

##@ Move a release (ENV=staging picks the environment)

promote:    ## Let an environment take the release of the one before it
propose:    ## Open a pull request for the promotion, rollback or retraining made here
due:        ## Say which environments are to be deployed
deploy:     ## Make an environment serve its release
loadtest:   ## Put the expected traffic on what an environment serves
advance:    ## Move branch ENV forward to the commit verified live, for its load test
rollback:   ## Restore an earlier release: TO=<release id> REASON="why"
render:     ## Write what a cluster is sent for an environment, after all checks

##@ Look after it

status:     ## Show which release is where, and whether it answers
monitor:    ## Compare what ENV served with its training rows and with what the gate measured
retrain:    ## Train anew if there is a reason, and propose what passes the gate
down:       ## Stop what runs for ENV, or for every environment

replay: $(VENV)/stamp ## Replay the example's year with and without the gate (ARGS=--publish renews the picture)
	@$(VENV)/bin/python -m benchmarks.replay $(ARGS)

##@ Own the repository

start:      ## Put your table in place of the example: FROM=table.csv TARGET=price [TIME= GROUP= MODEL= FORCE=1]
doctor:     ## Say which guards exist, here and on GitHub, and whether they work
github-setup: ## Show what differs on GitHub from .github/settings/; ARGS="--apply" changes it
thin:       ## Install the machinery instead of having it in the tree (UPSTREAM=owner/repository@commit)
thick:      ## Have an installed machinery in the tree again, to change it (FROM=a copy of the repository)

upgrade:    ## Take a newer machinery, tested, as one commit (first with DRY=1; FROM=, REF=, WAS=)

##@ Maintain the template

test-all: ## Run the tests on every supported Python found on this machine
	@echo "Python found: $(or $(FOUND),none). Not found, so not tested: $(or $(MISSING),none)."
	@$(if $(FOUND),$(MAKE) --no-print-directory --keep-going $(FOUND:%=test-on-%),false)

audit: ## Look for known vulnerabilities in what is locked (environments/advisories.yaml)

audit-workflows: $(VENV)/stamp ## Audit the workflows, online with GH_TOKEN; also into build/zizmor.sarif
	@mkdir -p build && $(ZIZMOR) --format=sarif .github > build/zizmor.sarif && $(ZIZMOR) .github

format: $(VENV)/stamp ## Format the code with black
	@$(VENV)/bin/python -m black --quiet .

schema: ## Write params.schema.json, after a change of what params.yaml may hold

dashboards: ## Write the dashboard and the operator's rules (environments/monitoring/)

release: ## Release the machinery as VERSION=1.2.0: version, changelog and the digest of every file

wheel: $(VENV)/stamp ## Build the machinery as a wheel in build/wheel; the same tree gives the same bytes
	@$(VENV)/bin/uv build --quiet --wheel --out-dir build/wheel machinery && ls build/wheel

check-tag: $(VENV)/stamp ## Check that TAG is the version of the machinery here, and that it is as released
	@$(VENV)/bin/python -m mlops.upgrading.publishing check

publish: $(VENV)/stamp ## Attach the wheel to the release that TAG names on GitHub; one that is there stays
	@$(VENV)/bin/python -m mlops.upgrading.publishing publish

picture: $(VENV)/stamp ## Take the README's picture of a report (ARGS=build/demo/refused.html)
	@$(VENV)/bin/python machinery/docs/picture.py $(ARGS)

gate-study: $(VENV)/stamp ## Measure how often the gate errs, into machinery/docs/gate.md (about 5 minutes)
	@$(VENV)/bin/python -m benchmarks.gate_study

lock: $(VENV)/stamp ## Compile the lock from pyproject.toml and install it (ARGS=--upgrade for newer)
	@$(MAKE) --no-print-directory compile
	@git diff --stat -- requirements.txt requirements-serve.txt
	@$(MAKE) --no-print-directory setup # this make believes that the stamp is new

# A wheel is locked by its hash; a folder has none, and is installed beside what is locked. The service
# has the machinery's code in its bundle.
compile:
	@$(COMPILE) $(if $(IN_TREE),$(NO_MACHINERY)) pyproject.toml --output-file requirements.txt
	@$(COMPILE) $(NO_MACHINERY) --group pyproject.toml:serve --constraint requirements.txt \
	  --output-file requirements-serve.txt
	@if grep -qw index pyproject.toml; then $(VENV)/bin/python -m mlops.ci.lock_places; fi

# ---- how ------------------------------------------------------------------

# Four at most: each of them trains and serves models.
ON_ALL_CORES = -p xdist --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# These reach the step through the environment: neither make nor the shell reads what they say.
export ENV TO REASON RUN VERSION UPSTREAM WHEEL FROM TAG REF WAS TARGET TIME GROUP MODEL
# A shell may have a TIME or a GROUP of its own, so these must stand on make's command line.
typed = $(if $(filter command,$(origin $(1))),$(value $(1)))
TAKE_ENV = promote propose due deploy advance loadtest rollback render status monitor down
$(STEPS): $(VENV)/stamp
	@$(VENV)/bin/python -m mlops $@ $(if $(filter $(TAKE_ENV),$@),$(if $(value ENV),--env "$$ENV")) \
	  $(if $(filter export rollback,$@),$(if $(value TO),--to "$$TO")) \
	  $(if $(filter rollback,$@),$(if $(value REASON),--reason "$$REASON")) \
	  $(if $(filter comment promote,$@),$(if $(value RUN),--run "$$RUN")) \
	  $(if $(filter release,$@),$(if $(value VERSION),--version "$$VERSION")) \
	  $(if $(filter thin,$@),$(if $(value UPSTREAM),--upstream "$$UPSTREAM") \
	  $(if $(value WHEEL),--wheel "$$WHEEL")) \
	  $(if $(filter thin thick start,$@),$(if $(value FROM),--from "$$FROM")) \
	  $(if $(filter start,$@),$(if $(call typed,TARGET),--target "$$TARGET") \
	  $(if $(call typed,TIME),--time "$$TIME") $(if $(call typed,GROUP),--group "$$GROUP") \
	  $(if $(call typed,MODEL),--model "$$MODEL") $(if $(call typed,FORCE),--force)) \
	  $(if $(filter upgrade,$@),$(if $(value FROM),--from "$$FROM") $(if $(value REF),--ref "$$REF") \
	  $(if $(value WAS),--was "$$WAS") $(if $(value DRY),--dry-run)) $(ARGS)

# One lock for every supported Python: a version that installs on the oldest is the one for all.
COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 \
  --fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock" $(ARGS)
NO_MACHINERY = --no-emit-package mlops-machinery

# Online it also knows actions that were found vulnerable, and commits that are no version's.
ZIZMOR = $(if $(GH_TOKEN),,env -u GH_TOKEN) $(VENV)/bin/zizmor --quiet --persona=auditor \
  --strict-collection --no-config $(if $(GH_TOKEN),,--offline)

# $(call usable,PYTHONS): the first that is new enough and can make a virtual environment.
usable = $(shell for python in $(1); do \
  $$python -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
  2>/dev/null && echo $$python && break; done)
no-python = $(error No Python 3.11 to 3.14 with venv. Tried: $(PYTHON). \
  Found: $(or $(strip $(foreach python,$(PYTHON),$(shell $(python) --version 2>/dev/null))),none). \
  Install one (Debian and Ubuntu: apt install python3-venv) or name it: make setup PYTHON=...)

# A .venv whose Python is gone, as after an upgrade of the system, is made again.
.venv/stamp: requirements.txt $(IN_TREE) $(if $(realpath .venv/bin/python),,again)
	$(call install,.venv,$(or $(call usable,$(PYTHON)),$(no-python)))

# One that somebody named has no stamp.
ifeq (,$(filter $(VENV)/stamp,.venv/stamp $(TESTED:%=build/python-%/stamp)))
$(VENV)/stamp:
	@[ -x $(VENV)/bin/python ] || { echo "VENV=$(VENV) has no bin/python. Name a virtual" \
	  "environment that has what requirements.txt locks, or leave VENV out: make then makes .venv." >&2; exit 1; }
endif

# The machinery in the tree, whose version and command .venv knows.
IN_TREE = $(wildcard machinery/pyproject.toml)

# $(call install,FOLDER,PYTHON): a virtual environment with requirements.txt in it, hashes checked.
# Compiled at once, since imports take three times as long the first time otherwise. The stamp is
# written last: an installation that was cut short begins again.
define install
	@if [ ! -f $(1)/stamp ] || [ ! -x $(1)/bin/python ]; then \
	  echo "$(1): made by $(2), $$($(2) --version)"; \
	  $(2) -m venv --clear $(1) && awk '/^[^ #]/ {keep = /^uv==/} keep' requirements.txt | \
	  $(1)/bin/python -m pip install -qq --disable-pip-version-check -r /dev/stdin || \
	  { echo "The installer, uv, could not be had. Is PyPI reached? A mirror is named by" \
	  "PIP_INDEX_URL and UV_DEFAULT_INDEX." >&2; exit 1; }; fi
	@rm -f $(1)/stamp
	@echo "$(1): installing requirements.txt, about a minute the first time"
	@VIRTUAL_ENV=$(1) UV_COMPILE_BYTECODE=1 \
	  $(1)/bin/uv pip sync --quiet --require-hashes requirements.txt
	@$(if $(IN_TREE),VIRTUAL_ENV=$(1) $(1)/bin/uv pip install --quiet --no-deps --editable machinery)
	@touch $(1)/stamp
endef

python-of = $(call usable,python$(1) $(wildcard $(PYENV)/$(1).*/bin/python))
FOUND = $(foreach version,$(TESTED),$(if $(call python-of,$(version)),$(version)))
MISSING = $(filter-out $(FOUND),$(TESTED))

$(TESTED:%=build/python-%/stamp): build/python-%/stamp: requirements.txt $(IN_TREE)
	$(call install,build/python-$*,$(call python-of,$*))

$(TESTED:%=test-on-%): test-on-%: build/python-%/stamp
	@echo "Python $*"
	@build/python-$*/bin/python -m mlops.ci.suites $(ON_ALL_CORES) --quiet $(ARGS)
