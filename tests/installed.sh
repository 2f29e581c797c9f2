#!/usr/bin/env bash
# The suite on an installed wheel, from a folder with a space and a name that is not English, by a user who can write neither
# the source nor the installed package. `make test-wheel` calls it; arguments go to pytest.
#
# The heavy packages are those of .venv, by a .pth file. Where root calls it, the user is nobody.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$here/.venv/bin/python}
work=$(mktemp -d /tmp/wheel.XXXXXX)
chmod 755 "$work"
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

as_user() { # what an ordinary user may do
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups --bounding-set=-all --inh-caps=-all "$@"; else "$@"; fi
}

# A copy of the source: a build leaves files behind.
mkdir "$work/source"
(cd "$here" && git ls-files -co --exclude-standard -z | tar --null -T - --ignore-failed-read -cf -) | tar -xf - -C "$work/source"
"$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/dist" "$work/source"

# nobody may be kept from a Python that lies in root's home.
base=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
as_user bash -c "'$base' -c 1" 2>/dev/null || base=/usr/bin/$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
"$base" -m venv --without-pip "$work/venv"
"$python" -m pip --python "$work/venv/bin/python" install --quiet --no-deps --no-index "$work"/dist/*.whl
site=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$site/heavy.pth" # .pth files in there are not read

# The tests and what they read beside them; the packages are links to the installed ones.
folder="$work/Прокат фильмов"
mkdir "$folder"
for name in "$work/source"/*; do
    package=$site/$(basename "$name")
    if [ -d "$package" ]; then ln -s "$package" "$folder/"; else cp -r "$name" "$folder/"; fi
done
mkdir -m 777 "$work/home" "$folder/screenshots"
chmod -R a-w,a+rX "$folder"/* "$site"
chmod a+w "$folder/screenshots"

cd "$folder"
as_user env HOME="$work/home" TMPDIR="$work/home" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH= \
    PATH="$work/venv/bin:$PATH" "$work/venv/bin/python" -m pytest -p no:cacheprovider "$@"
