# The base of the service's image. `make package` appends the machinery's stages
# (machinery/mlops/container/Dockerfile) and puts the result into the bundle; `make image` builds it:
#   docker build --file FOLDER/env/docker/Dockerfile FOLDER
# hadolint global ignore=DL3003,DL4006

# `make image` passes the version that trained the model.
ARG PYTHON=3.11
FROM ghcr.io/astral-sh/uv:0.13.8 AS uv

# A tag moves with each patch of Python or Debian. To pin the image, append @sha256:... to this line,
# with the digest that `docker buildx imagetools inspect python:3.11-slim-bookworm` prints.
FROM python:${PYTHON}-slim-bookworm AS system
# The image takes Python from here, and every library that the locked packages link to. If your model
# loads a library that the base image lacks, install it here:
#   RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1
