# Sourced by the scripts that install what the machine does not have.

have() {
    command -v "$1" >/dev/null 2>&1
}

# Never asks for a password: it may run where nobody would answer.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo; then
        sudo -n "$@"
    else
        return 1
    fi
}

from_debian() {
    have apt-get || return 1
    as_root apt-get -qq update || return 1
    # RUNLEVEL=1 keeps a package from starting a server of its own, which nobody asked for.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends "$@"
}

from_homebrew() {
    have brew && brew install --quiet "$@"
}
