[VapourSynth Manifest V1]
libduf
