#!/usr/bin/env bash
# Installs what a fresh machine with Go, Python, g++, CMake and make lacks: Debian packages when root, Python tools in
# build/venv, Go tools in build/tools. Safe to run again; says what it does.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/tools build/log

say() { printf 'bootstrap: %s\n' "$*"; }
die() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }
retry() { # retry COMMAND...: registries answer late sometimes
  local attempt
  for attempt in 1 2 3; do
    "$@" && return 0
    say "attempt $attempt of 3 did not work: $*"
  done
  return 1
}

for tool in go "${PYTHON:=python3}" g++ cmake make; do
  command -v "$tool" >/dev/null || die "$tool is not installed; it is one of the five things this project expects on a machine (Go, Python, g++, CMake, make)"
done

# --- Debian packages: name of a file that shows it is there, package -----------------------------------------------------
declare -A need=(
  [/usr/include/google/protobuf/message.h]=libprotobuf-dev
  [/usr/bin/protoc]=protobuf-compiler
  [/usr/include/gtest/gtest.h]=libgtest-dev
  [/usr/include/fmt/format.h]=libfmt-dev
  [/usr/bin/pkg-config]=pkg-config
  [/usr/bin/curl]=curl
  [/usr/bin/readelf]=binutils
  [/usr/sbin/mosquitto]=mosquitto
  [/usr/bin/mosquitto_rr]=mosquitto-clients
)
missing=()
for file in "${!need[@]}"; do [ -e "$file" ] || missing+=("${need[$file]}"); done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { retry apt-get update -q && retry apt-get install -q -y --no-install-recommends "${missing[@]}"; } >build/log/apt.log 2>&1 \
      || { tail -n 20 build/log/apt.log >&2; die "installing ${missing[*]} did not work; the log is build/log/apt.log"; }
  else
    die "please install ${missing[*]} (not root, so this script cannot)"
  fi
fi

# --- Python: one environment for tools and tests --------------------------------------------------------------------------
stamp=build/venv/.requirements
if ! cmp -s tools/requirements.txt "$stamp" || [ ! -x build/venv/bin/python ]; then
  say "making build/venv with the Python tools"
  rm -rf build/venv
  "$PYTHON" -m venv build/venv || die "$PYTHON -m venv does not work; on Debian: apt-get install python3-venv"
  retry build/venv/bin/python -m pip install -q --disable-pip-version-check -r tools/requirements.txt >build/log/pip.log 2>&1 \
    || { tail -n 20 build/log/pip.log >&2; die "pip install -r tools/requirements.txt did not work; the log is build/log/pip.log"; }
  cp tools/requirements.txt "$stamp"
fi

# --- Go tools -------------------------------------------------------------------------------------------------------------
if [ ! -x build/tools/staticcheck ]; then
  say "installing staticcheck"
  GOBIN="$PWD/build/tools" retry go install honnef.co/go/tools/cmd/staticcheck@v0.8.2 >build/log/staticcheck.log 2>&1 \
    || { tail -n 20 build/log/staticcheck.log >&2; die "installing staticcheck did not work"; }
fi
say "ready"
