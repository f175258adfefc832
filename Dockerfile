# The service's image, made from an unpacked bundle and nothing else. `make package` puts this file
# into the bundle; `make image` builds with it: docker build --file FOLDER/env/docker/Dockerfile FOLDER
# A `cd` here ends with its step; ldd and dpkg -S fail for what they do not know, and may.
# hadolint global ignore=DL3003,DL4006

# `make image` gives the version that trained the model.
ARG PYTHON=3.11
FROM ghcr.io/astral-sh/uv:0.13.8 AS uv

# A tag moves whenever Python or Debian are mended. To stay on one, append @sha256:... to this line,
# the digest that `docker buildx imagetools inspect python:3.11-slim-bookworm` prints.
FROM python:${PYTHON}-slim-bookworm AS packages
COPY env/python/requirements.txt /
# Tests, headers and type stubs serve whoever develops a library. Every time is set to 0 in the step
# that writes the file, so that the same input gives the same layer.
RUN --mount=type=bind,from=uv,source=/uv,target=/usr/local/bin/uv \
    --mount=type=cache,target=/root/.cache/uv \
    export VIRTUAL_ENV=/image/venv UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    && uv venv --quiet --python "$(readlink -f "$(command -v python3)")" "$VIRTUAL_ENV" \
    && uv pip sync --quiet --require-hashes /requirements.txt \
    && cd "$VIRTUAL_ENV" && find . -depth \( -type d \( -name tests -o -name include \) \
       -o -name '*.py[ix]' -o -name '*.pxd' -o -name '*.h' -o -name .lock -o -path './bin/*' ! -name 'python*' \) \
       -exec rm -rf {} + \
    && find . -exec touch -h -d @0 {} +

# What the image holds of this system is Python and the libraries that are linked to: no shell, no
# package manager. The entries of Debian's packages stay, and of which Debian, so that a scanner sees
# what is inside.
FROM packages AS root
WORKDIR /image
RUN set -eu; mkdir -p etc tmp var/lib/dpkg/status.d; \
    echo 'bento:x:1034:1034::/tmp:/' > etc/passwd; echo 'bento:x:1034:' > etc/group; \
    python=$(readlink -f "$(command -v python3)"); \
    stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'); \
    cp -a --parents "$python" "$stdlib" .; \
    (cd ".$stdlib" && rm -rf site-packages dist-packages config-* test idlelib tkinter turtledemo \
      lib2to3 ensurepip pydoc_data lib-dynload/_tkinter*); \
    find . -name __pycache__ -prune -exec rm -rf {} +; \
    find . \( -name '*.so*' -o -path ".$python" \) -print0 | xargs -0 -n 50 -P 4 ldd 2>/dev/null \
      | awk '/=> \//{print $3} /^\t\//{print $1}' | grep -v ^/image/ > /libraries; \
    find /lib/ -name libgcc_s.so.1 >> /libraries; sort -u -o /libraries /libraries; \
    xargs -a /libraries cp -L --parents -t .; cp -L /etc/ld.so.cache /etc/os-release etc/; \
    sed 's|.*/|*/|' /libraries | xargs dpkg -S 2>/dev/null | cut -d: -f1 | sort -u \
      | while read -r name; do dpkg -s "$name" > "var/lib/dpkg/status.d/$name"; done; \
    find . -path ./venv -prune -o -exec chmod u=rwX,go=rX {} +; chmod 1777 tmp; \
    find . -path ./venv -prune -o -exec touch -h -d @0 {} +

# The model answers a row inside, which shows that nothing is missing, and Python keeps what it
# compiled for that: just what serving needs.
FROM root AS served
COPY . bento
RUN PYTHONHASHSEED=0 PYTHONPATH=/bento/src BENTOML_HOME=/tmp/home chroot . /venv/bin/python -c \
      'import bentoml_cli.cli, _bentoml_impl.worker.service, _bentoml_impl.server.serving; \
       from mlops.serving.service import Predictor; Predictor.inner()' \
    && mkdir /compiled /served && chmod -R u=rwX,go=rX bento && mv bento /served \
    && find venv usr -name '*.pyc' -exec cp --parents -t /compiled {} + \
    && find /compiled /served -exec touch -h -d @0 {} +

# A layer each: what the lock decides, what Python compiled of that, the bundle. The first is copied
# while the model answers.
FROM scratch
COPY --from=root /image /
COPY --from=served /compiled /
COPY --from=served /served /
ENV LANG=C.UTF-8 PYTHONPATH=/bento/src PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp BENTOML_HOME=/tmp/bentoml \
    BENTOML_DO_NOT_TRACK=True DO_NOT_TRACK=1 OTEL_SDK_DISABLED=true
USER 1034:1034
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/venv/bin/python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/readyz', timeout=2)"]
ENTRYPOINT ["/venv/bin/python", "-m", "mlops.serving.alone"]
CMD ["--host", "0.0.0.0", "--port", "3000"]
