"""Runs the code blocks of one documentation file of the original and tells how each ended.

    document.py FILE PORT [COUNT]     prints {"block": number, "failures": text} per block; COUNT blocks at most

A block is a run of examples with no prose between. Blocks of a file share their names, as in the original's own run. Two repairs make
the text fit today's Pythons: ``asyncio.async`` has another name since 3.7, and the port is one that is free.
"""

import doctest
import io
import sys
import warnings
from pathlib import Path

import peer

PRINTED_PORT = "5555"


def blocks(text):
    """Splits the examples of a text where prose stands between them."""
    found, fresh = [], True
    for part in doctest.DocTestParser().parse(text):
        if isinstance(part, doctest.Example):
            if fresh:
                found.append([])
            found[-1].append(part)
            fresh = False
        elif part.strip():
            fresh = True
    return found


def main():
    path, port = Path(sys.argv[1]), sys.argv[2]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else None
    aiomas = peer.load("aiomas")
    assert aiomas.__version__ == "2.0.1"
    print(f"aiomas.rpc is {aiomas.rpc.__file__}", file=sys.stderr)
    warnings.simplefilter("ignore", DeprecationWarning)
    text = path.read_text(encoding="utf-8").replace("asyncio.async(", "asyncio.ensure_future(").replace(PRINTED_PORT, port)
    names = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE)
    for number, examples in enumerate(blocks(text)[:count], 1):
        test = doctest.DocTest(examples, names, f"{path.name} {number}", str(path), examples[0].lineno, None)
        output = io.StringIO()
        runner.run(test, out=output.write, clear_globs=False)
        names = test.globs
        peer.tell(block=number, examples=len(examples), failures=output.getvalue())


if __name__ == "__main__":
    main()
