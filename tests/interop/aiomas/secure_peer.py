"""The real aiomas with TLS, its contexts made by its own helpers.

secure_peer.py server|client CODEC tcp ADDRESS CA CERTIFICATE KEY     otherwise as peer.py
"""

import asyncio
import sys

import aiomas
import peer

if __name__ == "__main__":
    mode, codec, network, where, *files = sys.argv[1:]
    make = {"server": aiomas.make_ssl_server_context, "client": aiomas.make_ssl_client_context}[mode]
    run = {"server": peer.serve, "client": peer.command_loop}[mode]
    asyncio.run(run(getattr(aiomas, codec), network, where, ssl=make(*files)))
