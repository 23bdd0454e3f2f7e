"""The real blosc as a peer of blosc_test.go.

Reads one JSON command per line: {"op": "decompress", "chunk": hex} gives {"result": hex of the data}; {"op": "compress", "data": hex,
"options": {...}, "blocksize": n} gives {"result": hex of the chunk}. Prints {"ready": its version} first.
"""

import json
import sys

import blosc

print(json.dumps({"ready": blosc.__version__}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    try:
        if command["op"] == "decompress":
            answer = blosc.decompress(bytes.fromhex(command["chunk"]))
        else:
            blosc.set_blocksize(command.get("blocksize", 0))
            answer = blosc.compress(bytes.fromhex(command["data"]), **command.get("options", {}))
        print(json.dumps({"result": answer.hex()}), flush=True)
    except Exception as e:
        print(json.dumps({"raised": type(e).__name__, "text": str(e)}), flush=True)
