"""client.py and server.py as they are, in one process: two Cores that talk over http."""

import os
import signal
import threading

import client
import server


def run_client():
    client.main()
    os.kill(os.getpid(), signal.SIGINT)  # what a person would press: server.py ends on it


if __name__ == "__main__":
    threading.Thread(target=run_client).start()
    server.main()
