#!/usr/bin/env bash
# Lets libtorch's wrapper load where the C++ library is older than GCC 13's (Debian 12): old-libstdcxx.sh FOLDER-OF-THE-BUILT-PROGRAM
# The wrapper needs one symbol of GLIBCXX_3.4.32, which does nothing that a program with iostreams of an older library would miss. The symbol's
# version is taken away, the need of the version is marked weak, and a library with an empty function of that name is put beside it, to be preloaded.
set -euo pipefail
folder=$(cd "${1:?give the folder of the built program}" && pwd)
library=$(find "$folder" -name libLibTorchSharp.so | head -1)
symbol=_ZSt21ios_base_library_initv
patchelf --clear-symbol-version "$symbol" "$library"
python3 - "$library" <<'PYTHON'
import struct, sys
path = sys.argv[1]
file = bytearray(open(path, "rb").read())
sections, count, names = struct.unpack_from("<Q", file, 40)[0], *struct.unpack_from("<HH", file, 60)
for i in range(count):
    kind, = struct.unpack_from("<I", file, sections + 64 * i + 4)
    if kind != 0x6FFFFFFE:  # SHT_GNU_verneed
        continue
    offset, = struct.unpack_from("<Q", file, sections + 64 * i + 24)
    link, = struct.unpack_from("<I", file, sections + 64 * i + 40)
    texts, = struct.unpack_from("<Q", file, sections + 64 * link + 24)
    while True:
        _, entries, _, first, following = struct.unpack_from("<HHIII", file, offset)
        entry = offset + first
        for _ in range(entries):
            _, flags, _, name, after = struct.unpack_from("<IHHII", file, entry)
            if file[texts + name:].startswith(b"GLIBCXX_3.4.32\0"):
                struct.pack_into("<H", file, entry + 4, flags | 2)  # VER_FLG_WEAK
            entry += after
        if following == 0:
            break
        offset += following
open(path, "wb").write(file)
PYTHON
echo "void $symbol(void) {}" | gcc -shared -fPIC -x c - -o "$(dirname "$library")/libempty.so"
echo "LD_PRELOAD=$(dirname "$library")/libempty.so"
