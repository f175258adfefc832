# One target a step. `make` alone prints what there is.
# Needs Python 3.11 or newer, make, git; everything else is installed into .venv.

# The first of these that serves is used; name your own with PYTHON=...
PYTHON = python3 python3.13 python3.12 python3.11 python3.14 python

# Every library is compiled at once: imports take a third of the time from then on.
export UV_COMPILE_BYTECODE = 1

.PHONY: help
help:
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

##@ Everybody

.PHONY: setup
setup: .venv/stamp ## Install everything into .venv (again only when requirements.txt changed)
	@echo ".venv is ready: $$(.venv/bin/python --version)"

# $(call install,FOLDER,PYTHONS,TO BE DONE): a virtual environment with requirements.txt in it.
# The stamp is written last: an installation that was cut short begins again.
define install
	@if [ ! -f $(1)/stamp ] || [ ! -x $(1)/bin/python ]; then \
	  found=; python=; \
	  for candidate in $(2); do \
	    version=$$($$candidate -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	    found="$$found\n  $$candidate is Python $$version"; \
	    case $$version in 3.11|3.12|3.13|3.14) ;; *) continue ;; esac; \
	    if $$candidate -c 'import ensurepip' 2>/dev/null; then python=$$candidate; break; fi; \
	    found="$$found without venv (Debian and Ubuntu: apt install python3-venv)"; \
	  done; \
	  if [ -z "$$python" ]; then \
	    printf "No Python 3.11 to 3.14 that can make a virtual environment. Looked for: %b\nFound:%b\n" \
	      "$(2)" "$${found:- none}" >&2; exit 1; \
	  fi; \
	  echo "$(1): Python $$version ($$python)"; \
	  $$python -m venv --clear $(1) && \
	  awk '/^[^ #]/ {keep = /^uv==/} keep' requirements.txt | \
	    $(1)/bin/python -m pip install -qq --disable-pip-version-check -r /dev/stdin || exit 1; \
	fi
	@rm -f $(1)/stamp
	@echo "$(1): installing requirements.txt (1 GB; a minute or two the first time)"
	@VIRTUAL_ENV=$(1) $(1)/bin/uv pip sync -q --require-hashes requirements.txt
	@touch $(1)/stamp
endef

# A .venv whose Python is gone (the system's was upgraded) is made again.
.venv/stamp: requirements.txt $(if $(realpath .venv/bin/python),,again)
	$(call install,.venv,$(PYTHON))

.PHONY: again
again:
