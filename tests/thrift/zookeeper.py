"""A real ZooKeeper, Debian's, with its data in a folder of its own.

    python zookeeper.py FOLDER PORT     says `ready` and runs until it is told to end
"""

import os
import signal
import socket
import subprocess
import sys
import time

JAR = "/usr/share/java/zookeeper.jar"


class ZooKeeper:
    def __init__(self, folder, port):
        self.port, self.settings = port, os.path.join(folder, "zoo.cfg")
        os.makedirs(folder, exist_ok=True)
        with open(self.settings, "w") as file:
            file.write(f"tickTime=1000\ndataDir={folder}/data\nclientPort={port}\nclientPortAddress=127.0.0.1\n")
            file.write("admin.enableServer=false\nmaxClientCnxns=0\n")

    def start(self):
        java = ["java", "-Xmx96m", "-XX:TieredStopAtLevel=1", "-cp", JAR]
        main = "org.apache.zookeeper.server.ZooKeeperServerMain"
        self.process = subprocess.Popen(
            [*java, main, self.settings], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise SystemExit(f"the ZooKeeper ended with {self.process.returncode}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
                    sock.sendall(b"srvr")
                    if sock.recv(100).startswith(b"Zookeeper version"):
                        return self
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit("the ZooKeeper does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    server = ZooKeeper(sys.argv[1], int(sys.argv[2])).start()
    signal.signal(signal.SIGINT, lambda *_: sys.exit())
    try:
        print("ready", flush=True)
        server.process.wait()
    finally:
        server.kill()
