"""Serves faultinject's own apps and metrics below `run`, and prints each status."""

import sys
import threading
import urllib.error
import urllib.request

import flask
from prometheus_client import start_http_server

import faultinject
from faultinject.cli.listening import listen
from faultinject.proxy.app import Proxy
from faultinject.proxy.client import proxy_server
from faultinject.proxy.target import Target


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def main():
    store = faultinject.Storage("s3")
    metrics, _ = start_http_server(0, "127.0.0.1")
    target = Target(store.url)
    proxy = proxy_server(Proxy(target), target)
    sock = listen("127.0.0.1", 0)
    thread = threading.Thread(target=proxy.run, kwargs={"sockets": [sock]})
    thread.start()
    print("app", flask.Flask("app").test_client().get("/").status_code)
    print("store", status(f"{store.url}/"))
    print("metrics", status(f"http://127.0.0.1:{metrics.server_port}/metrics"))
    print("proxy", status(f"http://127.0.0.1:{sock.getsockname()[1]}/"))
    proxy.should_exit = True
    thread.join()
    metrics.shutdown()
    store.close()


if __name__ == "__main__":
    sys.exit(main())
