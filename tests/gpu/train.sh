#!/bin/sh
# Trains on a borrowed machine that may be taken away at any moment and gives back small files only.
#
#     tests/gpu/train.sh CONFIG.toml FOLDER MINUTES [EARLIER]
#
# Every checkpoint is laid into FOLDER in pieces under 16 MiB, in turn as set a and set b, its checksum last: whatever the
# moment, one whole set is there. EARLIER is such a folder, from which the run goes on. The configuration's output must be
# "run", beside it. VSDUF names the program (default: vsduf).
set -eu
config=$1 folder=$2 minutes=$3 earlier=${4:-}
run=$(dirname "$config")/run
mkdir -p "$run" "$folder"

if [ -n "$earlier" ]; then
    for sum in $(ls -t "$earlier"/*.sum); do  # the newest set that is whole
        set=${sum%.sum}
        cat "$set".piece.* > "$run/last.pt"
        [ "$(cksum < "$run/last.pt")" = "$(cat "$sum")" ] && break
        rm "$run/last.pt"
    done
fi

lay_down() {  # the checkpoint cannot change under our hands: it is replaced, never written to
    [ -f "$run/last.pt" ] && [ "$run/last.pt" -nt "$run/stamp" ] || return 0
    ln -f "$run/last.pt" "$run/being-split"
    touch -r "$run/being-split" "$run/stamp"
    set=$([ "$set" = a ] && echo b || echo a)
    rm -f "$folder/$set".*
    split -b 15M "$run/being-split" "$folder/$set.piece."
    cksum < "$run/being-split" > "$folder/$set.sum"
}

set=b
touch -t 200001010000 "$run/stamp"
${VSDUF:-vsduf} train "$config" --minutes "$minutes" &
training=$!
while kill -0 $training 2> /dev/null; do
    sleep 5
    lay_down
done
wait $training || true
lay_down
cp "$run/weights.safetensors" "$run/curves.png" "$folder" 2> /dev/null || true
