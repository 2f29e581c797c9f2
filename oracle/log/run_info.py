"""With which code a run was made: versions of the libraries that matter, and the state of the git checkout."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("safe-rank-grpo", "duckdb", "pyarrow", "polars", "rapidfuzz", "torch", "transformers", "trl", "peft")


def run_info(folder: str | Path = ".") -> dict[str, dict | None]:
    """{"versions": {package: version}, "git": {"commit", "branch", "changed"} or None outside a checkout}.

    `changed` lists the files that differ from the commit. Nothing is imported to find out.
    """
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {"versions": versions, "git": _git_state(Path(folder))}


def _git_state(folder: Path) -> dict | None:
    try:
        if _git(folder, "rev-parse", "--is-inside-work-tree") != "true":
            return None
        changed = _git(folder, "status", "--porcelain").splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    return {
        "commit": _git_or_none(folder, "rev-parse", "HEAD"),
        "branch": _git_or_none(folder, "branch", "--show-current"),
        "changed": [line.split(maxsplit=1)[-1] for line in changed][:100],
    }


def _git_or_none(folder: Path, *arguments: str) -> str | None:
    try:
        return _git(folder, *arguments) or None
    except subprocess.SubprocessError:  # a repository without a commit has no HEAD
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
