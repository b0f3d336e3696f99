# Sourced: looks for the programs that a task needs and installs Debian packages for the missing
# ones. Quiet when nothing is missing; apt-get update runs at most once, and only then.

# need PROGRAM:PACKAGE…
# PROGRAM is a command, or one of the names of is_there that stand for something else.
need() {
  local pair missing=()
  for pair in "$@"; do
    is_there "${pair%%:*}" || missing+=("${pair##*:}")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

is_there() {
  case $1 in
    headers) [ -e /usr/include/stdio.h ] ;;
    gst*.so) compgen -G "/usr/lib/*/gstreamer-1.0/lib$1" >/dev/null ;;
    *.typelib) compgen -G "/usr/lib/*/girepository-1.0/$1" >/dev/null ;;
    python-gst) [ -e /usr/lib/python3/dist-packages/gi/overrides/Gst.py ] ;;
    libssl) pkg-config --exists 'openssl >= 3' ;;
    venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

install_packages() {
  local as_root=()
  if ! command -v apt-get >/dev/null; then
    echo "missing here: $*. Install them with this system's package manager, then try again." >&2
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "missing: $*. As root: apt-get install $*" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "installing Debian packages: $*"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The compilers: Rust and Node are the only things that are asked for and not installed here.
need_rust() {
  [ -e "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
  if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust from https://rustup.rs, then try again" >&2
    exit 1
  fi
  # aws-lc-sys compiles C: on x86-64 and ARM64 a C compiler is all it takes, elsewhere cmake too.
  need cc:build-essential headers:libc6-dev certificates:ca-certificates
  # DTLS handshakes are OpenSSL's.
  need pkg-config:pkg-config libssl:libssl-dev
  case $(uname -m) in
    x86_64 | aarch64) ;;
    *) need cmake:cmake clang:clang ;;
  esac
}

need_node() {
  local major
  major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
  if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null; then
    echo "Node 20 or later with npm is missing: https://nodejs.org" >&2
    exit 1
  fi
}

# need_component NAME: a part of the Rust toolchain that minimal installations leave out.
need_component() {
  cargo "$1" --version >/dev/null 2>&1 && return
  echo "installing the Rust component $2"
  rustup component add "$2"
}

# npm_install FOLDER: exactly what its lock file says, unless that is there already.
npm_install() {
  [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return
  echo "installing npm packages of $1/"
  npm ci --prefix "$1" --no-audit --no-fund --loglevel error
}
