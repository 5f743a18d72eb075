"""Programs without a product behind them: what the supervisor's tests start instead of the real ones."""

import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from frontend.run import Supervisor
from incubator.ground.settings import load


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Be quiet."""


def note(text: str) -> None:
    with (Path(os.environ["KAIBO_DATA"]) / "order").open("a") as file:
        file.write(text + "\n")


def main(name: str) -> None:
    if name == "run":
        sys.exit(Supervisor(load(), [sys.executable, __file__]).run())

    def leave(*_: object) -> None:
        note(f"-{name}")
        os._exit(0)

    deaf = name == os.environ.get("STAND_IN_DEAF")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else leave)
    note(f"+{name}")
    if name == "migrate":
        sys.exit(int(os.environ.get("STAND_IN_MIGRATE", "0")))
    if name == "web":
        server = HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Health)
        print(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], flush=True)
        server.serve_forever()
    if name in {"worker", "director"}:
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
