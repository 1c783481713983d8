#!/usr/bin/env bash
# Everything that needs a CUDA device, in one go: the tests marked gpu, short clips through vspipe, and the measurements,
# whose table is the last thing printed. Needs Python 3.12 or newer with torch for CUDA and CuPy.
#
#     tests/gpu/run.sh [--quick] [WHEELS]
#
# WHEELS: a folder of wheels, for machines that cannot download what this Python lacks (vapoursynth, vsutil, safetensors,
# psutil, imageio-ffmpeg, vapoursynth-bestsource, hatchling with its own, pytest, hypothesis,
# onnx, pillow).
# RESULTS names a folder for logs and figures (default: build/gpu), CLIPS how many clips go through vspipe (default 20).
set -uo pipefail
cd "$(dirname "$0")/../.."
quick=()
if [ "${1:-}" = --quick ]; then quick=(--quick); shift; fi
results=${RESULTS:-build/gpu}
mkdir -p "$results"

from=()
if [ -n "${1:-}" ]; then from=(--no-index --find-links "$1"); fi
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv --system-site-packages "$environment"
python=$environment/bin/python
# What this Python has installed, also where it is a virtual environment itself: a new one would see its base alone.
python3 -c 'import site; print("\n".join(site.getsitepackages()))' \
    > "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/outer.pth"
export XDG_CONFIG_HOME=$environment/config  # vspipe notes there which Python is its own
export PATH=$environment/bin:$PATH
"$python" -m pip install --quiet --disable-pip-version-check "${from[@]}" -e . pytest hypothesis || exit 1

status=0
"$python" -m pytest -m gpu -q -rf tests > "$results/tests.log" 2>&1 || status=1
tail -n 15 "$results/tests.log"

ended=0 clips=${CLIPS:-20}
cat > "$environment/short.vpy" <<'END'
import vapoursynth as vs
clip = vs.core.std.BlankClip(width=320, height=180, length=8, format=vs.YUV420P8)
vs.core.duf.Upscale(clip, device_id=0).set_output()
END
for _ in $(seq "$clips"); do
    timeout 120 vspipe "$environment/short.vpy" . > "$results/vspipe.log" 2>&1 && ended=$((ended + 1))
done
echo "vspipe: $ended of $clips clips ended well"
[ "$ended" = "$clips" ] || status=1

"$python" tests/gpu/measure.py "${quick[@]}" --json "$results/measured.json" 2> "$results/measure.log" || {
    status=1
    tail -n 40 "$results/measure.log"
}
exit $status
