"""A Docker engine for the tests, and the base image where Docker Hub is out of reach."""

import contextlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from machinery.tests.waiting import wait_for

PYTHON = ".".join(platform.python_version_tuple()[:2])
BASE = f"python:{PYTHON}-slim-bookworm"
UV = re.search(r"(?m)^FROM (\S+) AS uv$", Path("Dockerfile").read_text("utf-8"))[1]
INSTALLED = Path(sys.executable).parent
# Made once a machine: half a minute.
KEPT = Path("/var/tmp/mlops-tests") / f"base-{PYTHON}-2.tar"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What a slim image leaves out as well.
LEFT_OUT = ("test", "tests", "idlelib", "tkinter", "turtledemo", "site-packages", "config-*")


def docker(*words, check=True, **options):
    """Run docker and return what it printed, without the last line's end."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=False, **options
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def why_none():
    """What keeps an engine from answering; None if one does."""
    if shutil.which("docker") is None:
        return "docker is not installed (Debian and Ubuntu: apt install docker.io)"
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


@contextlib.contextmanager
def started(folder):
    """Start a daemon of one's own in a folder; yields why it could not be, or None."""
    if os.getuid() or shutil.which("dockerd") is None:
        yield "no Docker daemon answers, and only root can start dockerd (apt install docker.io)"
        return
    command = ["dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    address = [f"--host=unix://{folder}/docker.sock", f"--pidfile={folder}/pid"]
    with (folder / "log").open("w") as log:
        with subprocess.Popen([*command, *address], stdout=log, stderr=log) as daemon:
            os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
            try:
                wait_for(lambda: daemon.poll() is not None or why_none() is None, why_none)
                yield why_none() and f"dockerd cannot start: {(folder / 'log').read_text()[-300:]}"
            finally:
                daemon.send_signal(signal.SIGTERM)


def place():
    """Where the tests' own daemon keeps what it makes: in memory where there is plenty of it.

    To remove its 26,000 files from a disk took half a minute.
    """
    memory = Path("/dev/shm")
    plenty = memory.is_dir() and shutil.disk_usage(memory).free > 8e9
    return memory if plenty else Path(tempfile.gettempdir())


def use_a_client_that_builds():
    """A newer client without its plug-in buildx cannot build; the system's own may."""
    for place in ("", "/usr/bin"):
        os.environ["PATH"] = f"{place}:{os.environ['PATH']}" if place else os.environ["PATH"]
        with tempfile.TemporaryDirectory() as empty:
            Path(empty, "Dockerfile").write_text("FROM scratch\nLABEL a=b\n", encoding="utf-8")
            environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
            command = ["docker", "build", "--quiet", empty]
            if not subprocess.run(
                command, env=environment, capture_output=True, check=False
            ).returncode:
                return None
    return "docker cannot build with BuildKit (Debian and Ubuntu: apt install docker.io)"


def have_base():
    """Have the engine hold the images that the Dockerfile begins with; return why it cannot."""
    if not _had(UV):
        # The same program, as PyPI has it.
        packed = subprocess.run(
            ["tar", "-C", INSTALLED, "-c", "uv"], capture_output=True, check=True
        )
        subprocess.run(["docker", "import", "-", UV], input=packed.stdout, check=True)
    if _had(BASE):
        return None
    if not KEPT.exists():
        if os.getuid() or shutil.which("debootstrap") is None:
            return f"{BASE} cannot be pulled, nor made: debootstrap and root are needed for that"
        _make_base()
    docker("import", *_changes(), str(KEPT), BASE)
    return None


def _had(name):
    """Say whether the engine holds an image, which is pulled where it does not."""
    if docker("images", "--quiet", name):
        return True
    pulled = subprocess.run(["docker", "pull", "--quiet", name], capture_output=True, check=False)
    return pulled.returncode == 0


def _changes():
    variables = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8"
    certificates = f" SSL_CERT_FILE={CERTIFICATES}" if CERTIFICATES.exists() else ""
    return [f"--change=ENV {variables}{certificates}", '--change=CMD ["python3"]']


def _make_base():
    """Debian's least system with this Python in /usr/local, as the official image has it."""
    KEPT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT.parent) as scratch:
        root, log = Path(scratch) / "root", Path(scratch) / "log"
        with log.open("w") as output:
            command = ["debootstrap", "--variant=minbase", "bookworm", str(root)]
            subprocess.run(command, stdout=output, stderr=output, check=True)
        _put_python(root)
        if CERTIFICATES.exists():
            # A machine may have an authority of its own between it and PyPI.
            (root / CERTIFICATES.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
            (root / "etc/pip.conf").write_text(f"[global]\ncert = {CERTIFICATES}\n")
        packed = Path(scratch) / "packed"
        kept_out = ("./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./usr/share/doc/*")
        options = [f"--exclude={name}" for name in (*kept_out, "__pycache__")]
        subprocess.run(["tar", "-C", root, *options, "-cf", packed, "."], check=True)
        packed.rename(KEPT)


def _put_python(root):
    home, library = Path(sys.base_prefix), f"python{PYTHON}"
    into = root / "usr/local"
    shutil.copy2((home / "bin" / library).resolve(), into / "bin" / library)
    for name in ("python3", "python"):
        (into / "bin" / name).symlink_to(library)
    for shared in (home / "lib").glob("libpython*.so*"):
        shutil.copy2(shared, into / "lib", follow_symlinks=False)
    ignored = shutil.ignore_patterns(*LEFT_OUT, "_tkinter*", "__pycache__")
    shutil.copytree(home / "lib" / library, into / "lib" / library, ignore=ignored)
    (into / "lib" / library / "site-packages").mkdir()
    programs = [into / "bin" / library, *into.rglob("*.so*")]
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        found = line.partition("=> ")[2].partition(" ")[0]
        place = root / found.lstrip("/")
        if found.startswith(("/lib", "/usr/lib")) and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, place)
    subprocess.run(["strip", "--strip-unneeded", *programs], capture_output=True, check=False)
    for command in (["ldconfig"], ["/usr/local/bin/python3", "-m", "ensurepip"]):
        subprocess.run(["chroot", root, *command], capture_output=True, check=True)
