# What the service's image is built on. `make package` appends the machinery's stages
# (machinery/mlops/container/Dockerfile) and puts the whole into the bundle; `make image` builds it:
#   docker build --file FOLDER/env/docker/Dockerfile FOLDER
# hadolint global ignore=DL3003,DL4006

# `make image` gives the version that trained the model.
ARG PYTHON=3.11
FROM ghcr.io/astral-sh/uv:0.13.8 AS uv

# A tag moves whenever Python or Debian are mended. To stay on one, append @sha256:... to this line,
# the digest that `docker buildx imagetools inspect python:3.11-slim-bookworm` prints.
FROM python:${PYTHON}-slim-bookworm AS system
# The image takes Python from here, and every library that the locked packages link to. A library that
# your model loads and the base image lacks is installed here:
#   RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1
