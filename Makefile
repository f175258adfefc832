# `make` alone lists the targets. They come with the machinery: from its folder, or from the wheel that
# requirements.txt pins, fetched once and its hash checked. Add yours below.
.DEFAULT_GOAL := help
TARGETS := $(wildcard machinery/mlops/machinery.mk)
ifeq ($(TARGETS),)
PINNED := $(shell sed -n '/^mlops-machinery @ /{N;s/^[^@]*@ *\([^ ]*\).*sha256:\([0-9a-f]*\).*/\1 \2/p;}' requirements.txt)
TARGETS := build/cache/machinery-$(or $(word 2,$(PINNED)),$(error requirements.txt pins no mlops-machinery, and there is no folder machinery/: git restore requirements.txt)).mk
define FETCH
import hashlib, io, os, sys, urllib.request, zipfile
url, digest, target = sys.argv[1:]
try: wheel = urllib.request.urlopen(url, timeout=60).read()
except OSError as error: sys.exit(f"{url} cannot be fetched: {error}. requirements.txt names it; is it reached from here?")
if hashlib.sha256(wheel).hexdigest() != digest: sys.exit(f"{url} is not the wheel that requirements.txt pins: its sha256 differs. Nothing of it was used.")
os.makedirs("build/cache", exist_ok=True)
open(target, "wb").write(zipfile.ZipFile(io.BytesIO(wheel)).read("mlops/machinery.mk"))
endef
export FETCH
$(TARGETS):
	@python3 -c "$$FETCH" $(PINNED) $@.part && mv $@.part $@
endif
include $(TARGETS)
