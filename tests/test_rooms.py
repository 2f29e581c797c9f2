"""Every room of the oracle is held to its public names by a contract in pyproject.toml."""

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
ALL_FILES_ARE_PUBLIC = {"base"}


def test_every_room_has_a_contract_that_keeps_its_files_to_itself():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    kept = {name for contract in settings["contracts"] for name in contract.get("protected_modules", [])}
    rooms = {path.parent.name for path in (REPOSITORY / "oracle").glob("*/__init__.py")} - ALL_FILES_ARE_PUBLIC
    missing = [room for room in sorted(rooms) if f"oracle.{room}.*" not in kept]
    assert not missing, f"copy the contract of oracle.risk in pyproject.toml for {', '.join(missing)}"


def test_every_room_says_what_lives_in_it():
    for init in (REPOSITORY / "oracle").glob("*/__init__.py"):
        assert init.read_text().startswith('"""'), f"{init} has no docstring"
