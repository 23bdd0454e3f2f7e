#!/usr/bin/env bash
# Installs what is built into a folder and prints the folder of its CMake package.
set -euo pipefail
cd "$(dirname "$0")/../../.."
prefix=$1
make --no-print-directory install PREFIX="$prefix" >/dev/null
config=$(find "$(realpath "$prefix")" -name aimrt_rpc-config.cmake)
dirname "$config"
