"""Take the README's picture of a report with Chromium: `make picture`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

PAGE, PICTURE = Path("build/report.html"), Path("machinery/docs/images/report.png")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Without network requests of its own: no first run, no updates, no account, a temporary profile.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync --hide-scrollbars"
).split()
WIDTH, TALLEST, MARGIN = 1200, 4000, 40
# Ends after the plots of the first two metrics, the part that a reviewer reads first.
FRAME = """
main { max-width: none; padding: 2.5rem 3rem; }
section:has(#metrics) ~ *, .row ~ .row ~ *, figcaption { display: none; }
"""


def main(page: Path = PAGE) -> None:
    """Write machinery/docs/images/report.png from a report's page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        sys.exit(f"None of {', '.join(BROWSERS)} is installed. Debian: apt install chromium.")
    if not page.exists():
        sys.exit(f"{page} is missing. Run `make report` first.")
    with tempfile.TemporaryDirectory() as scratch:
        framed, shot = Path(scratch, "page.html"), Path(scratch, "shot.png")
        html = page.read_text("utf-8")
        framed.write_text(html.replace("</style>", f"{FRAME}</style>", 1), "utf-8")
        size = f"--window-size={WIDTH},{TALLEST}"
        profile = f"--user-data-dir={scratch}/profile"
        command = [browser, *FLAGS, profile, size, f"--screenshot={shot}", framed.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        keep(Image.open(shot).convert("RGB"))
    print(f"{PICTURE} ({PICTURE.stat().st_size / 1000:.0f} kB)")


def keep(shot: Image.Image) -> None:
    """Save a screenshot without its empty lower part, with 128 colours."""
    paper = Image.new("RGB", shot.size, shot.getpixel((0, 0)))
    bottom = ImageChops.difference(shot, paper).getbbox()[3]
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    shot.crop((0, 0, shot.width, bottom + MARGIN)).quantize(128).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
