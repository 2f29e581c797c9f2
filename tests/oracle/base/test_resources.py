"""What ships beside the packages is found whatever else is called so."""

import subprocess
import sys


def test_a_script_may_have_packages_called_data_and_sql_beside_it(tmp_path):
    for name in ("data", "sql"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    script = tmp_path / "own.py"
    script.write_text(
        "import sys, data, sql\n"
        "from oracle import create_oracle\n"
        "assert data.__file__.startswith(sys.argv[1]) and sql.__file__.startswith(sys.argv[1])\n"
        "print(create_oracle(base_path=sys.argv[1]).check_safety(title='Saw', year=2004).imdb_id)\n"
    )
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "tt0387564\n"), done.stderr
