#!/usr/bin/env python3
"""A small shop system on this machine, for the etl example: lists shops, exports their sales, takes the result.

Prints its address on the first line. `GET /rates` answers 503 the first time for each `key`, as busy services do, so the
example needs its retry.
"""

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

SHOPS = [{"id": f"{country}-{number:02}", "country": country} for country in ("de", "es", "jp") for number in range(1, 9)]
RATES = {"EUR": 1.0, "JPY": 0.0061}

seen_keys = set()
loaded = []
lock = threading.Lock()


def sales_of(shop):
    """The day's sales of a shop: the same at each call. The first shop of a country has one broken line."""
    currency = "JPY" if shop["country"] == "jp" else "EUR"
    number = int(shop["id"].split("-")[1])
    amounts = [round(100 + 7.5 * number + 10 * line, 2) for line in range(4)]
    rows = [{"line": line, "amount": amount, "currency": currency} for line, amount in enumerate(amounts)]
    if number == 1:
        rows.append({"line": 4, "amount": None, "currency": currency})
    return rows


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlparse(self.path)
        if url.path == "/shops":
            return self.answer(200, {"shops": SHOPS})
        if url.path == "/rates":
            return self.rates(parse_qs(url.query).get("key", ["none"])[0])
        if url.path == "/loaded":
            with lock:
                return self.answer(200, {"loads": loaded})
        shop = next((shop for shop in SHOPS if url.path == f"/sales/{shop['id']}"), None)
        if shop is None:
            return self.answer(404, {"error": "no such path"})
        return self.answer(200, {"shop": shop["id"], "rows": sales_of(shop)})

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            return self.answer(400, {"error": "the body is not JSON"})
        if self.path != "/load":
            return self.answer(404, {"error": "no such path"})
        with lock:
            loaded.append(body)
            return self.answer(201, {"accepted": len(body.get("countries", {})), "load": len(loaded)})

    def rates(self, key):
        with lock:
            is_first = key not in seen_keys
            seen_keys.add(key)
        if is_first:
            return self.answer(503, {"error": "busy, try again"})
        return self.answer(200, {"rates": RATES})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Silent: the run tells what was called."""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8900, help="0 takes a free one")
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
