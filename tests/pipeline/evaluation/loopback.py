"""An OpenAI-compatible server on 127.0.0.1 that fails in the ways in which real ones do."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "1. Alien (1979)\n2. Up (2009)"


class Server:
    """`faults`: for each request in turn, what goes wrong with it: a status, "half", "garbage", "nothing" or "" (none).

    `says`: the body of a response with a status; `numbered`: no two answers are the same. `asked` and `answered` hold the prompts of all requests, and of those that were answered in full.
    """

    def __init__(self) -> None:
        self.faults: list[int | str] = []
        self.forever: int | str = ""
        self.says: dict = {}
        self.numbered = False
        self.delay = 0.0
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.headers: list[dict] = []
        self.bodies: list[dict] = []
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> "Server":
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                prompt = body["messages"][-1]["content"]
                with server._lock:
                    server.asked.append(prompt)
                    server.bodies.append(body)
                    server.headers.append(dict(self.headers))
                    fault = server.faults.pop(0) if server.faults else server.forever
                    text = f"{TEXT}\n3. Film {len(server.asked)}" if server.numbered else TEXT
                time.sleep(server.delay)
                answer = {
                    "id": "x", "object": "chat.completion", "created": 1, "model": body["model"],
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
                }  # fmt: skip
                whole = json.dumps(answer).encode()
                sent = {"half": whole[: len(whole) // 2], "garbage": b"<html>sorry</html>", "nothing": b""}.get(
                    str(fault), whole
                )
                if isinstance(fault, int):
                    sent = json.dumps(server.says).encode() if server.says else b""
                try:
                    self.send_response(fault if isinstance(fault, int) else 200)
                    self.send_header("content-type", "application/json")
                    self.send_header(
                        "content-length",
                        str(len(whole) if fault == "half" else len(sent)),
                    )
                    self.end_headers()
                    self.wfile.write(sent)
                except OSError:
                    return
                if fault:
                    self.close_connection = True
                else:
                    server.answered.append(prompt)

        return Handler
