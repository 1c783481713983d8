#!/usr/bin/env bash
# Everything that needs an NVIDIA card, in about ten minutes: says first whether anything is wrong, then prints one
# table of how fast it is, beside the figures that were computed for the card. Needs Linux, Python 3.12 or newer, and
# the packages of the extras cuda and test; compute-sanitizer and nsys of the CUDA toolkit are used if they are there.
#
#     tests/gpu/run.sh [--full]
#
# --full measures larger sources too, and takes half an hour. RESULTS names a folder for logs and figures (default:
# build/gpu), of less than a megabyte. PYTHON names the program (default: python3).
set -uo pipefail
cd "$(dirname "$0")/../.."
quick=(--quick) limit=300
if [ "${1:-}" = --full ]; then quick=() limit=1800; fi
python=${PYTHON:-python3}
results=${RESULTS:-build/gpu}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$results"
status=0

check() {  # NAME SECONDS COMMAND...: one line, and the end of the log where it fails
    local name=$1 seconds=$2 log
    shift 2
    log=$results/$(echo "$name" | tr ' ' -).log
    if timeout "$seconds" "$@" > "$scratch/log" 2>&1; then echo "ok      $name"
    else echo "WRONG   $name"; tail -n 20 "$scratch/log"; status=1; fi
    tail -c 100000 "$scratch/log" > "$log"
}
skip() { echo "skipped $1: $2"; }

# 1. Memory and races inside the kernels, at the small ones of the sizes round the block.
check "a card that torch can use" 60 "$python" -c \
    'from vsduf.engine.device import choose_device as choose; assert not choose().on_cpu, "torch finds no card"'
[ $status = 0 ] || exit 1
kernels=("$python" -m pytest -m gpu -q -x tests/engine/cuda/test_launchers.py -k "not 127 and not 128 and not 129")
if command -v compute-sanitizer > "$scratch/which"; then
    for tool in memcheck racecheck; do
        check "$tool of the kernels" 120 compute-sanitizer --tool $tool --error-exitcode 1 "${kernels[@]}"
    done
else skip "memcheck and racecheck" "compute-sanitizer is not installed"; fi

# 2. Every test on the card, and whole programs: clips through vspipe.
check "tests" 180 "$python" -m pytest -m gpu -q -rf tests
cat > "$scratch/short.vpy" << 'END'
import vapoursynth as vs
clip = vs.core.std.BlankClip(width=320, height=180, length=8, format=vs.YUV420P8)
vs.core.duf.Upscale(clip, device_id=0).set_output()
END
if command -v vspipe > "$scratch/which"; then
    for n in 1 2 3; do check "vspipe $n" 60 vspipe "$scratch/short.vpy" .; done
else skip "vspipe" "it is not in PATH"; fi

# 3. How fast it is: the table, printed at the end.
check "measurements" $limit "$python" tests/gpu/measure.py "${quick[@]}" --json "$results/measured.json" \
    --table "$results/table.txt"
"$python" tests/gpu/queueing.py > "$results/queueing.txt"

# 4. Gaps between launches, and what the threads do meanwhile: a summary by nsys, not its trace.
if command -v nsys > "$scratch/which"; then
    check "nsys" 120 nsys profile -t cuda,osrt --stats=true -o "$scratch/trace" \
        "$python" tests/gpu/measure.py --frames 200
else skip "nsys" "it is not installed"; fi

# 5. Waiting threads cost nothing: the same with few cores and with many.
if [ "$(nproc)" -ge 64 ]; then
    for cores in 0-7 0-63; do
        check "cores $cores" 60 taskset -c $cores "$python" tests/gpu/measure.py --frames 300
        tail -n 1 "$scratch/log"
    done
else skip "few cores against many" "there are $(nproc)"; fi

# 6. A second card leaves the first alone: no memory of the process there.
if [ "$(nvidia-smi --query-gpu=index --format=csv,noheader | wc -l)" -gt 1 ]; then
    cat > "$scratch/second.py" << 'END'
import os, subprocess
import vapoursynth as vs
clip = vs.core.std.BlankClip(width=320, height=180, length=8, format=vs.YUV420P8)
node = vs.core.duf.Upscale(clip, device_id=1)
node.get_frame(3).close()
query = ["nvidia-smi", "-i", "0", "--query-compute-apps=pid", "--format=csv,noheader"]
there = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
assert str(os.getpid()) not in there, "device_id=1 uses memory of card 0"
END
    check "device_id=1 alone" 60 "$python" "$scratch/second.py"
else skip "device_id=1" "there is one card"; fi

if [ $status = 0 ]; then echo "nothing is wrong"; else echo "SOMETHING IS WRONG: see above and $results"; fi
cat "$results/queueing.txt" "$results/table.txt"
exit $status
