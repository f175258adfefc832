"""A Docker engine for the tests, and a base image if Docker Hub is out of reach."""

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
# Built once on each machine; that takes half a minute.
BASE_ARCHIVE = Path("/var/tmp/mlops-tests") / f"base-{PYTHON}-2.tar"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# The official slim image excludes these too.
EXCLUDED = ("test", "tests", "idlelib", "tkinter", "turtledemo", "site-packages", "config-*")


def docker(*arguments, check=True, **options):
    """Run docker and return its output, without the last line end."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, **options
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def engine_problem():
    """Why no engine answers; None if one does."""
    if shutil.which("docker") is None:
        return "docker is not installed (Debian and Ubuntu: apt install docker.io)"
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


@contextlib.contextmanager
def started(folder):
    """Start a daemon in a folder; yields the reason if that fails, else None."""
    if os.getuid() or shutil.which("dockerd") is None:
        yield "no Docker daemon answers, and only root can start dockerd (apt install docker.io)"
        return
    command = ["dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    address = [f"--host=unix://{folder}/docker.sock", f"--pidfile={folder}/pid"]
    with (folder / "log").open("w") as log:
        with subprocess.Popen([*command, *address], stdout=log, stderr=log) as daemon:
            os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
            try:
                wait_for(
                    lambda: daemon.poll() is not None or engine_problem() is None, engine_problem
                )
                problem = engine_problem()
                yield problem and f"dockerd cannot start: {(folder / 'log').read_text()[-300:]}"
            finally:
                daemon.send_signal(signal.SIGTERM)


def data_folder():
    """The parent folder for the data of the tests' daemon: in memory, if there is enough.

    To remove its 26,000 files from a disk takes half a minute.
    """
    memory = Path("/dev/shm")
    plenty = memory.is_dir() and shutil.disk_usage(memory).free > 8e9
    return memory if plenty else Path(tempfile.gettempdir())


def use_a_client_that_builds():
    """Find a client that can build: a newer one without buildx cannot, the system's own may."""
    for folder in ("", "/usr/bin"):
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}" if folder else os.environ["PATH"]
        with tempfile.TemporaryDirectory() as empty:
            Path(empty, "Dockerfile").write_text("FROM scratch\nLABEL a=b\n", encoding="utf-8")
            environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
            command = ["docker", "build", "--quiet", empty]
            if not subprocess.run(
                command, env=environment, capture_output=True, check=False
            ).returncode:
                return None
    return "docker cannot build with BuildKit (Debian and Ubuntu: apt install docker.io)"


def provide_base_images():
    """Pull or build the base images of the Dockerfile; return the reason if that fails."""
    if not _available(UV):
        # The same program, from PyPI.
        packed = subprocess.run(
            ["tar", "-C", INSTALLED, "-c", "uv"], capture_output=True, check=True
        )
        subprocess.run(["docker", "import", "-", UV], input=packed.stdout, check=True)
    if _available(BASE):
        return None
    if not BASE_ARCHIVE.exists():
        if os.getuid() or shutil.which("debootstrap") is None:
            return f"{BASE} cannot be pulled or built: a build needs debootstrap and root"
        _make_base()
    docker("import", *_changes(), str(BASE_ARCHIVE), BASE)
    return None


def _available(name):
    """Return whether the engine has an image or can pull it."""
    if docker("images", "--quiet", name):
        return True
    pulled = subprocess.run(["docker", "pull", "--quiet", name], capture_output=True, check=False)
    return pulled.returncode == 0


def _changes():
    variables = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8"
    certificates = f" SSL_CERT_FILE={CERTIFICATES}" if CERTIFICATES.exists() else ""
    return [f"--change=ENV {variables}{certificates}", '--change=CMD ["python3"]']


def _make_base():
    """Build a minimal Debian with this Python in /usr/local, like the official image."""
    BASE_ARCHIVE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BASE_ARCHIVE.parent) as scratch:
        root, log = Path(scratch) / "root", Path(scratch) / "log"
        with log.open("w") as output:
            command = ["debootstrap", "--variant=minbase", "bookworm", str(root)]
            subprocess.run(command, stdout=output, stderr=output, check=True)
        _put_python(root)
        if CERTIFICATES.exists():
            # The machine may have a certificate authority of its own in front of PyPI.
            (root / CERTIFICATES.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
            (root / "etc/pip.conf").write_text(f"[global]\ncert = {CERTIFICATES}\n")
        packed = Path(scratch) / "packed"
        excluded = ("./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./usr/share/doc/*")
        options = [f"--exclude={name}" for name in (*excluded, "__pycache__")]
        subprocess.run(["tar", "-C", root, *options, "-cf", packed, "."], check=True)
        packed.rename(BASE_ARCHIVE)


def _put_python(root):
    home, library = Path(sys.base_prefix), f"python{PYTHON}"
    into = root / "usr/local"
    shutil.copy2((home / "bin" / library).resolve(), into / "bin" / library)
    for name in ("python3", "python"):
        (into / "bin" / name).symlink_to(library)
    for shared in (home / "lib").glob("libpython*.so*"):
        shutil.copy2(shared, into / "lib", follow_symlinks=False)
    ignored = shutil.ignore_patterns(*EXCLUDED, "_tkinter*", "__pycache__")
    shutil.copytree(home / "lib" / library, into / "lib" / library, ignore=ignored)
    (into / "lib" / library / "site-packages").mkdir()
    programs = [into / "bin" / library, *into.rglob("*.so*")]
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        library_path = line.partition("=> ")[2].partition(" ")[0]
        target = root / library_path.lstrip("/")
        if library_path.startswith(("/lib", "/usr/lib")) and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library_path, target)
    subprocess.run(["strip", "--strip-unneeded", *programs], capture_output=True, check=False)
    for command in (["ldconfig"], ["/usr/local/bin/python3", "-m", "ensurepip"]):
        subprocess.run(["chroot", root, *command], capture_output=True, check=True)
