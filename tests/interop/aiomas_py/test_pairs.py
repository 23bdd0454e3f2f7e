"""Ours and the real aiomas against each other: every pair of subjects, codec and transport, all cases of cases.py.

The pair of two real ones calibrates the cases: what they expect is what the original does. Peers are processes of their own.
"""

import itertools

import cases
import environments
import program
import pytest
from environments import FULL, OTHERS, OURS, REAL

CODECS = ("JSON", "MsgPack", "MsgPackBlosc")
NETWORKS = ("tcp", "unix")
PAIRS = ((OURS, REAL), (REAL, OURS), (OURS, OURS), (REAL, REAL))  # client, server
EVERY = [(client, server, codec, network) for client, server in PAIRS for codec, network in itertools.product(CODECS, NETWORKS)]
TLS = [(client, server, "JSON", "tls") for client, server in PAIRS]
# The short form has each pair with each codec, and each pair on both transports.
SHORT = [row for row in EVERY if (CODECS.index(row[2]) + NETWORKS.index(row[3])) % 2 == 0]
VERSIONS = [
    row for other in OTHERS for row in ((other, REAL, "JSON", "tcp"), (REAL, other, "MsgPack", "unix"), (other, OURS, "JSON", "tls"))
]
ROWS = (EVERY if FULL else SHORT) + TLS + VERSIONS


def label(row):
    client, server, codec, network = row
    return f"{environments.label(client)} to {environments.label(server)}, {codec} over {network}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return environments.certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory, certificates):
    """Runs all cases of a row once, in two processes; gives what each case said and how the processes ended."""
    known = {}

    def run(row):
        if row not in known:
            known[row] = play(row, tmp_path_factory.mktemp("peers"), certificates)
        return known[row]

    return run


def play(row, folder, certificates):
    client, server, codec, network = row
    variables = {"AIOMAS_CERTIFICATES": str(certificates)}
    serving, addresses = program.server(server, codec, network, folder, variables)
    with serving:
        arguments = ["peer.py", client, "client", codec, network, ",".join(addresses), server, *cases.ALL]
        results = {}
        with program.Program(client, *arguments, variables=variables) as calling:
            while (line := calling.next()) is not None:
                results[line["case"]] = line
            results["client"] = calling.end(), calling.error_text
        results["server"] = serving.end(), serving.error_text
    return results


@pytest.mark.parametrize("row", ROWS, ids=label)
@pytest.mark.parametrize("case", cases.ALL)
def test_case(ran, row, case):
    results = ran(row)
    assert case in results, f"the client ended before it came to {case}\n{results['client'][1]}"
    assert results[case]["ok"], results[case]["detail"]


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_both_processes_end_well(ran, row):
    """No hang at the end, exit code 0, and from ours no complaint of asyncio on the way."""
    results = ran(row)
    for side, package in (("client", row[0]), ("server", row[1])):
        code, errors = results[side]
        assert code == 0, errors
        assert f"\n{environments.package_of(package)} is " in "\n" + errors, f"the {side} ran another package\n{errors}"
        if package != REAL:
            for complaint in ("was never retrieved", "was destroyed but it is pending", "was never awaited", "Exception in callback"):
                assert complaint not in errors, f"the {side} complains\n{errors}"
