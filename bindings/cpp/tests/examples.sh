#!/usr/bin/env bash
# Builds the examples against an installed tree and compares what they print. Needs what `make build` makes.
set -uo pipefail
cd "$(dirname "$0")/../../.."
root=$PWD
work=$root/build/cpp/examples
passed=0
failed=0

check() { # check NAME COMMAND...: the command works
  local name=$1 log
  shift
  log=$("$@" 2>&1)
  if [ $? -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok   $name"
  else
    failed=$((failed + 1))
    echo "FAIL $name: $*"
    printf '%s\n' "$log" | tail -n 30
    return 1
  fi
}

prints() { # prints NAME EXPECTED COMMAND...: the command works and prints exactly this
  local name=$1 expected=$2 got
  shift 2
  got=$("$@" 2>"$work/stderr")
  if [ $? -eq 0 ] && [ "$got" = "$expected" ]; then
    passed=$((passed + 1))
    echo "ok   $name"
  else
    failed=$((failed + 1))
    printf 'FAIL %s\n--- expected\n%s\n--- printed\n%s\n--- stderr\n%s\n' "$name" "$expected" "$got" "$(tail -n 20 "$work/stderr")"
  fi
}

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# The text block of a README that the program must print.
block() { awk '/^```text$/{on = 1; next} /^```$/{on = 0} on' "$1"; }

rm -rf "$work" && mkdir -p "$work"
check install make --no-print-directory install PREFIX="$work/first" || finish
# An installed tree may be moved as a whole.
mv "$work/first" "$work/prefix"
prefix=$work/prefix
libdir=$(dirname "$(find "$prefix" -name libaimrt_rpc.so)")

for example in c_minimal cpp_local cpp_python_robot cpp_aiomas; do
  check "configure $example" cmake -S "examples/$example" -B "$work/$example" -DCMAKE_PREFIX_PATH="$prefix" &&
    check "build $example" cmake --build "$work/$example"
done
pc() { PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config "$@" aimrt_rpc; }
# shellcheck disable=SC2046
check "build c_minimal with pkg-config" cc -std=c11 -Wall -Wextra -Wpedantic -Werror examples/c_minimal/main.c \
  $(pc --cflags --libs) -Wl,-rpath,"$libdir" -o "$work/c_minimal_pc"
check "the top-level project builds the examples" bash -c \
  "cmake -S . -B '$work/top' -DAIMRT_RPC_BUILD_EXAMPLES=ON && cmake --build '$work/top'"

for program in "$work/c_minimal/c_minimal" "$work/c_minimal_pc"; do
  port=$(free_port)
  prints "run $(basename "$program")" "code 0 (OK) from http://127.0.0.1:$port: HELLO OVER HTTP" "$program" "$port"
done
prints "run cpp_local" "$(block examples/cpp_local/README.md)" "$work/cpp_local/cpp_local"
python=python3
[ -x build/venv/bin/python ] && python=$root/build/venv/bin/python
prints "run cpp_python_robot" "$(block examples/cpp_python_robot/README.md)" \
  env PYTHONPATH="$root/bindings/python/src" AIMRT_RPC_LIBRARY="$libdir/libaimrt_rpc.so" \
  "$python" examples/cpp_python_robot/main.py "$work/cpp_python_robot/librobot.so"
prints "run cpp_aiomas" "$(block examples/cpp_aiomas/README.md)" \
  env PYTHONPATH="$root/bindings/python/src" AIMRT_RPC_LIBRARY="$libdir/libaimrt_rpc.so" \
  "$python" examples/cpp_aiomas/client.py "$work/cpp_aiomas/cpp_aiomas"
finish
