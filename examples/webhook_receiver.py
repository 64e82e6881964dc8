"""Receive webhooks: check who calls, and fetch the response that is finished.

`OPENAI_WEBHOOK_SECRET=whsec_... python webhook_receiver.py 8000`.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from codex_api import ApiKeyAuth, Client, Provider, webhooks

MOST_BYTES = 1 << 20
seen: set[str] = set()  # a real receiver keeps them in its database


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds that a sender may be silent

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if not 0 < length <= MOST_BYTES:
            self.answer(413)
            return
        body = self.rfile.read(length)  # as it came: the signature is over these bytes
        try:
            event = webhooks.verify_webhook(
                dict(self.headers), body, os.environ["OPENAI_WEBHOOK_SECRET"]
            )
        except webhooks.WebhookError as error:
            print("refused:", error, flush=True)
            self.answer(400)
            return
        self.answer(204)  # at once: what takes long is done after it
        if event.id not in seen:
            seen.add(event.id)
            handle(event)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Print nothing for each request."""


def handle(event: webhooks.WebhookEvent) -> None:
    match event:
        case webhooks.ResponseWebhook(response_id=response_id, type="response.completed"):
            with Client(Provider.load("openai"), auth=ApiKeyAuth.from_env()) as client:
                print(response_id, client.responses.retrieve(response_id).text, flush=True)
        case webhooks.ResponseWebhook(response_id=response_id):
            print(response_id, event.outcome, flush=True)
        case _:
            print("not for us:", event.type, flush=True)


if __name__ == "__main__":
    with HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver) as server:
        print(f"listening at port {server.server_port}", flush=True)
        server.serve_forever()
