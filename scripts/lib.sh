# Shared by the scripts of this folder: packages, quiet steps, the cache.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What is fetched or built once, outside the tree.
CACHE=${PUSHBOX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pushbox}
mkdir -p "$CACHE"

die() {
    echo "$*" >&2
    exit 1
}

# step TITLE COMMAND...: runs it quietly; shows the end of its output when it fails.
# The command has a subshell, and is no condition: in one, bash would go on after whatever fails inside a function.
step() {
    local title=$1 log status start=$SECONDS
    shift
    log=$(mktemp)
    printf '%s ... ' "$title"
    set +e
    (
        set -e
        "$@"
    ) >"$log" 2>&1
    status=$?
    set -e
    if [ $status = 0 ]; then
        echo "$((SECONDS - start)) s"
        rm -f "$log"
    else
        echo "failed after $((SECONDS - start)) s; the end of $log:"
        tail -n 40 "$log"
        exit 1
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need_packages NAME...: installs those of Debian's packages that are missing.
need_packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    local install="apt-get install --no-install-recommends ${missing[*]}"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "not root and no sudo; run as root: $install"
    step "apt-get update" as_root apt-get -q update
    step "$install" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

need_rust() {
    command -v cargo >/dev/null || die "no Rust: install it with rustup, then run this again"
}

# need_build_packages [NAME...]: what every build of the workspace needs (libclang for the V4L2 bindings, cmake and nasm
# for the codecs), and what the caller needs besides.
need_build_packages() {
    need_rust
    need_packages gcc g++ make pkg-config cmake nasm libclang-dev libasound2-dev "$@"
}

# need_cargo_tool NAME VERSION: a program from the Rust registry, built once.
need_cargo_tool() {
    local root=$CACHE/$1-$2
    [ -x "$root/bin/$1" ] || step "building $1 $2 (once)" cargo install --locked --root "$root" "$1" --version "$2"
    PATH=$root/bin:$PATH
}

# private_apt STATE ARCH TYPE SUITE...: an apt of its own in folder STATE, for packages of other suites and
# architectures; the machine's stays as it is. Its commands want APT_CONFIG=STATE/apt.conf.
private_apt() {
    local state=$1 arch=$2 type=$3 suite uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    shift 3
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u | head -n 1)
    [ -n "$uri" ] || die "apt knows no mirror of Debian: run apt-get update"
    mkdir -p "$state"/{lists/partial,archives/partial,parts}
    : >"$state/status"
    for suite in "$@"; do
        echo "$type [arch=$arch signed-by=$keyring] $uri $suite main"
    done >"$state/sources.list"
    cat >"$state/apt.conf" <<CONF
#clear APT::Architectures;
APT::Architecture "$arch"; APT::Architectures { "$arch"; };
Dir::State "$state"; Dir::State::status "$state/status"; Dir::Cache "$state";
Dir::Etc::sourcelist "$state/sources.list"; Dir::Etc::sourceparts "$state/parts"; Dir::Etc::parts "$state/parts";
APT::Sandbox::User ""; Acquire::Languages "none"; APT::Get::List-Cleanup "false";
CONF
    APT_CONFIG=$state/apt.conf apt-get -q update
}

# unpack_packages STATE ARCH SUITE ROOT PACKAGE...: a root with the packages of Debian's SUITE and all that they need, without
# running anything of them. STATE is the folder of a private apt.
unpack_packages() {
    local deb state=$1 arch=$2 suite=$3 root=$4
    shift 4
    private_apt "$state" "$arch" deb "$suite"
    APT_CONFIG=$state/apt.conf apt-get -q install -y --download-only --no-install-recommends "$@"
    mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
    ln -s -t "$root" usr/{bin,sbin,lib,lib64}
    for deb in "$state"/archives/*.deb; do
        dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"
    done
    rm -rf "$root"/usr/share/{doc,man,locale,info}
}

# Links that Debian makes when it installs FFmpeg's libraries: link_blas ROOT ARCH-TRIPLET
link_blas() {
    ln -s -t "$1/usr/lib/$2" blas/libblas.so.3 lapack/liblapack.so.3
}

# The folder of the virtual board that scripts/rig build makes, anew whenever its recipe changes.
virtual_board() {
    local guest=hil-tests/rig/guest
    echo "$CACHE/rig-$(cat $guest/make-board $guest/Kbuild $guest/modules/* | sha256sum | cut -c 1-16)"
}
