#!/usr/bin/env bash
# Runs h2spec against the HTTP/2 engine and fails when fewer cases pass than expected. h2spec is built into build/tools once.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
: "${H2SPEC_EXPECTED:=146}" # cases that must pass
mkdir -p build/tools build/log
if [ ! -x build/tools/h2spec ]; then
  echo "h2spec: building it into build/tools"
  GOBIN="$root/build/tools" go install github.com/summerwind/h2spec/cmd/h2spec@latest >build/log/h2spec-install.log 2>&1 \
    || { tail -n 20 build/log/h2spec-install.log >&2; echo "h2spec: installing it did not work; the log is build/log/h2spec-install.log" >&2; exit 1; }
fi
go -C tests/interop build -o "$root/build/tools/h2specserver" ./h2/specserver
coproc SERVER { exec build/tools/h2specserver; }
server_pid=$SERVER_PID
trap 'kill "$server_pid" 2>/dev/null || true' EXIT
IFS=: read -r host port <&"${SERVER[0]}"
build/tools/h2spec http2 generic hpack -h "$host" -p "$port" -o "${H2SPEC_TIMEOUT:-2}" -S >build/log/h2spec.log 2>&1 || true
tail -n 60 build/log/h2spec.log | sed -n '/^Failures/,$p'
summary=$(grep -E '^[0-9]+ tests, ' build/log/h2spec.log || true)
passed=$(sed -E 's/^[0-9]+ tests, ([0-9]+) passed.*/\1/' <<<"$summary")
echo "h2spec: ${summary:-no result; see build/log/h2spec.log}"
if [ -z "$passed" ] || [ "$passed" -lt "$H2SPEC_EXPECTED" ]; then
  echo "h2spec: fewer than $H2SPEC_EXPECTED cases passed; the log is build/log/h2spec.log" >&2
  exit 1
fi
