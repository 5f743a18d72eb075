#!/bin/sh
# Make the virtual environment and the browser libraries; when nothing has changed, return at once.
# Usage: bootstrap.sh run|dev      PYTHON chooses the interpreter (default python3).
set -eu
cd "$(dirname "$0")/.."
kind=${1:-run}
python=${PYTHON:-python3}
venv=.venv

say() { printf 'kaibo    | %s\n' "$1"; }
fail() { printf 'kaibo    | %s\n' "$1" >&2; exit 1; }
sum() { cat "$@" | cksum; }
is_done() { [ "$(cat "$venv/.done-$1" 2>/dev/null)" = "$2" ]; }
can_write() { [ -w . ] || fail "Cannot write to $(pwd). Copy the checkout to a folder of your own, or give it to $(id -un)."; }
what_it_needs="This needs the network and about 1 GB of disk; the cause stands above. Mend it and start again."
done_with() { printf '%s\n' "$2" >"$venv/.done-$1"; }

make_venv() {
    version=$("$python" -c 'import sys; print(sys.version if sys.version_info >= (3, 11) else "old")') ||
        fail "There is no $python. Install python3, or choose another with PYTHON=."
    [ "$version" != old ] || fail "$python is older than 3.11. Choose another with PYTHON=."
    if [ -x "$venv/bin/python" ] && [ "$("$venv/bin/python" -c 'import sys; print(sys.version)')" = "$version" ]; then
        return
    fi
    can_write
    say "Making the Python environment in $venv"
    rm -rf "$venv"
    "$python" -m venv "$venv" || { rm -rf "$venv"; fail "venv failed. On Debian: apt-get install python3-venv"; }
}

pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$1" ||
        fail "pip could not install $1. $what_it_needs"
}

install_packages() {
    lock=requirements.lock
    [ "$kind" = run ] || lock=requirements-dev.lock
    wanted=$(sum "$lock")
    if is_done "$kind" "$wanted"; then return; fi
    # The longer list holds the shorter one, version by version (a test compares them).
    if [ "$kind" = run ] && is_done dev "$(sum requirements-dev.lock)"; then return; fi
    can_write
    say "Installing locked packages ($lock, once, a minute or more)"
    pip_install "$lock"
    done_with "$kind" "$wanted"
}

link_checkout() {
    # A path file instead of an installed copy: needs no build tools, and follows every edit.
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    if [ "$(cat "$site/kaibo.pth" 2>/dev/null)" = "$(pwd -P)" ] && [ -x "$venv/bin/kaibo" ]; then return; fi
    can_write
    pwd -P >"$site/kaibo.pth"
    printf '#!/bin/sh\nexec "$(dirname "$0")/python" -m frontend "$@"\n' >"$venv/bin/kaibo"
    chmod +x "$venv/bin/kaibo"
}

install_browser_libraries() {
    wanted=$(sum package-lock.json tools/bootstrap.sh)
    if is_done npm "$wanted" && [ -f node_modules/htmx.org/dist/htmx.min.js ]; then return; fi
    can_write
    say "Installing browser libraries"
    if ! command -v npm >/dev/null; then
        pip_install requirements-node.lock
        PATH="$(cd "$venv/bin" && pwd):$PATH"
        export PATH
    fi
    # A node from a wheel knows only its own certificates: let it trust what the machine trusts.
    bundle=/etc/ssl/certs/ca-certificates.crt
    if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -f "$bundle" ]; then export NODE_EXTRA_CA_CERTS="$bundle"; fi
    npm ci --ignore-scripts --loglevel=error >/dev/null || fail "npm could not install package-lock.json. $what_it_needs"
    done_with npm "$wanted"
}

make_venv
install_packages
link_checkout
install_browser_libraries
