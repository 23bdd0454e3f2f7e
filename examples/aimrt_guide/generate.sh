#!/usr/bin/env bash
# Generates rpc_pb2.py and rpc_aimrt_rpc_pb2.py beside rpc.proto, as the guide says. Needs protoc (here: the one in grpcio-tools) and the
# aimrt-rpc wheel, whose console script is the plugin.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
"$python" -m grpc_tools.protoc -I. --python_out=. rpc.proto
"$python" -m grpc_tools.protoc -I. --aimrt_rpc_out=. \
  --plugin=protoc-gen-aimrt_rpc="$("$python" -c 'import aimrt_rpc, pathlib; print(pathlib.Path(aimrt_rpc.__file__).parent / "bin" / "protoc_plugin_py_gen_aimrt_py_rpc.py")')" rpc.proto
