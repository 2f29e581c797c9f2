"""Pictures of the app, and what its browser tests share: a served app and a headless Chromium.

python -m tests.app.screenshots --store store.duckdb --out docs/app.png        # the Overview, for the README
python -m tests.app.screenshots --store store.duckdb --out screenshots         # every page: light, dark, phone
"""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
LAPTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PAGES = {
    "overview": "?live=no",
    "models": "models",
    "ranks": "ranks",
    "answer": "answer?step=2&rank=2",
    "text": "answer?step=2&show=text",
    "films": "films",
    "titles": "titles?kind=doubtful",
    "what-if": "what-if?threshold=0.5",
    "sql": "sql",
}
PATIENCE_S = 120  # on a busy machine; on an idle one a page takes a second
_SETTLED = """() =>
    document.querySelector('.headline, .state')
    && document.querySelector('[data-testid="stApp"]').dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-testid="stSkeleton"], [data-stale="true"]')
    && [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')]
        .every(chart => !chart.offsetParent || chart.querySelector('svg'))
"""


@contextlib.contextmanager
def served(store: Path, script: Path = ROOT / "app" / "main.py") -> Iterator[str]:
    """The app's address, while a process of its own serves it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([*command, "--", "--store", str(store)], env=environment, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/_stcore/health", process)
        yield address
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
        process.kill()


def _wait_for(address: str, process: subprocess.Popen, seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=1)
            return
        time.sleep(0.1)
    raise RuntimeError(f"the app did not answer at {address} within {seconds:g} s")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


def visit(page: Page, address: str) -> None:
    """Open an address and wait until everything is drawn."""
    page.goto(address, timeout=PATIENCE_S * 1000)
    settle(page)


def settle(page: Page) -> None:
    page.wait_for_function(_SETTLED, timeout=PATIENCE_S * 1000)
    page.wait_for_timeout(250)
    page.wait_for_function(_SETTLED, timeout=PATIENCE_S * 1000)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True, help="store whose log to show")
    parser.add_argument("--out", type=Path, required=True, help="a .png of the Overview, or a folder for every page")
    args = parser.parse_args(argv)
    with served(args.store) as address, chromium() as browser:
        if args.out.suffix == ".png":
            args.out.parent.mkdir(parents=True, exist_ok=True)
            page = browser.new_page(viewport=LAPTOP)
            visit(page, f"{address}/{PAGES['overview']}")
            page.screenshot(path=args.out)
            return
        for look, size, scheme in (("light", LAPTOP, "light"), ("dark", LAPTOP, "dark"), ("phone", PHONE, "light")):
            page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
            for name, where in PAGES.items():
                visit(page, f"{address}/{where}")
                picture(page, args.out / f"{name}-{look}.png")


def picture(page: Page, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)


if __name__ == "__main__":
    main(sys.argv[1:])
