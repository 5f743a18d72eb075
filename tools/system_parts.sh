#!/bin/sh
# Install the programs that tests drive, by apt where that is allowed; otherwise say what is missing.
# With CI=true a missing part is a failure.
set -eu
cd "$(dirname "$0")/.."

missing() {
    command -v chromium >/dev/null || printf ' chromium'
    command -v obs >/dev/null || printf ' obs-studio'
    command -v Xvfb >/dev/null || printf ' xvfb'
    command -v ffmpeg >/dev/null || printf ' ffmpeg'
    fc-list ':lang=zh-cn' 2>/dev/null | grep -q . || printf ' fonts-noto-cjk'
    # The browser's driver in Playwright's wheel is a node that is linked to it; a small Debian comes without.
    .venv/bin/python -c 'import ctypes; ctypes.CDLL("libatomic.so.1")' 2>/dev/null || printf ' libatomic1'
}

parts=$(missing)
[ -n "$parts" ] || exit 0
as_root=''
[ "$(id -u)" = 0 ] || as_root='sudo -n'
if command -v apt-get >/dev/null && $as_root true 2>/dev/null; then
    echo "kaibo    | Installing$parts"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 -- a list of words is meant
    { $as_root apt-get update -qq && $as_root apt-get install -qq -y --no-install-recommends fontconfig $parts; } >/dev/null ||
        echo "kaibo    | apt-get failed" >&2
fi
parts=$(missing)
[ -n "$parts" ] || exit 0
echo "kaibo    | Missing for the tests:$parts. As root: apt-get install$parts" >&2
[ "${CI:-}" = true ] || echo "kaibo    | Until then the tests that need them are skipped." >&2
[ "${CI:-}" != true ]
