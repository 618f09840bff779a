"""Only proxy_url makes requests go through a proxy, and requests to this machine never do.

The cluster is the test's own: its environment names a proxy for everything, and its
home has a .netrc.
"""
import json
import os
import select
import shutil
import socket
import tempfile
import threading

from harness import CA, TLS_URL, URL, Cluster, Session, Tap, control, link_local, make_server
from tls import Authority, serve

COUNT = "SELECT count(*) FROM %s.training_jobs"


class Proxy:
    """A proxy that tunnels to any address, and records the requests' first lines and headers."""

    def __init__(self, destination=None):
        self.requests = []
        self.destination = destination
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(50)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            threading.Thread(target=self.tunnel, args=(self.listener.accept()[0],), daemon=True).start()

    def tunnel(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        self.requests.append(head.decode())
        if self.destination is None:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        server = socket.create_connection(self.destination)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        ends = {client: server, server: client}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                piece = end.recv(65536)
                if not piece:
                    client.close()
                    server.close()
                    return
                ends[end].sendall(piece)


def requests_seen():
    """The requests that the endpoint received, newest last."""
    return json.loads(control("requests"))


def main():
    tap = Tap()
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)
    trap = Proxy()
    cluster = Cluster(HOME=directory, http_proxy=trap.url, https_proxy=trap.url, HTTPS_PROXY=trap.url,
                      all_proxy=trap.url, ALL_PROXY=trap.url,
                      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/credentials/task",
                      AWS_ENDPOINT_URL_STS=URL, **link_local(directory))
    try:
        with open(directory + "/.netrc", "w", encoding="ascii") as file:
            file.write("default login somebody password of-the-netrc\n")
        os.chmod(directory + "/.netrc", 0o644)
        authority = Authority(directory, "authority")
        port = serve(authority, authority.sign("remote", "DNS:sagemaker.test"))
        proxy = Proxy(("127.0.0.1", port))
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION sagemaker_fdw")

        # what the environment says has no effect
        make_server(session, "here")
        make_server(session, "tls", url=TLS_URL, ca_bundle=CA)
        make_server(session, "remote", url="https://sagemaker.test", ca_bundle=authority.path("authority.pem"),
                    connect_timeout=2, max_attempts=1)
        for name in ("here", "tls"):
            tap.equal(session.run(COUNT % name), ["300"], "%s: an endpoint on this machine needs no proxy" % name)
        lines, state = session.ask(COUNT % "remote")
        tap.equal((state, trap.requests), ("08001", []), "the environment's proxies receive no request")
        sent = [request["headers"] for request in requests_seen()]
        tap.ok(sent and all(headers["authorization"].startswith("AWS4-HMAC-SHA256 ") for headers in sent),
               "a .netrc has no effect on signed requests")

        # proxy_url has, but not on the way to this machine
        session.run("ALTER SERVER remote OPTIONS (ADD proxy_url '%s')" % proxy.url)
        tap.equal(session.run(COUNT % "remote"), ["0"], "proxy_url is used")
        tap.equal([request.partition("\r\n")[0] for request in proxy.requests], ["CONNECT sagemaker.test:443 HTTP/1.1"],
                  "... through a tunnel, so that it sees nothing")
        tap.ok("authorization" not in proxy.requests[0].lower(), "... and no credentials", proxy.requests)
        session.run("ALTER SERVER remote OPTIONS (SET proxy_url '%s')" % trap.url)
        lines, state = session.ask(COUNT % "remote")
        tap.ok(state == "08001" and len(trap.requests) == 1 and any("502" in line for line in lines),
               "the error names a proxy that rejects the request", (state, lines, trap.requests))
        trap.requests.clear()
        session.run("ALTER SERVER here OPTIONS (ADD proxy_url '%s')" % trap.url)
        tap.equal(session.run(COUNT % "here"), ["300"], "proxy_url is not used for requests to this machine")
        # these services are on no loopback address, which no proxy is used for anyway
        for source, operation, host, count in (("Ec2InstanceMetadata", "Metadata", "169.254.169.254", 3),
                                               ("EcsContainer", "Container", "169.254.170.2", 1)):
            session.run("DROP USER MAPPING FOR CURRENT_USER SERVER here; CREATE USER MAPPING FOR CURRENT_USER SERVER here "
                        "OPTIONS (allow_ambient_credentials 'true', credential_source '%s')" % source)
            control("reset", b"")
            tap.equal(session.run(COUNT % "here"), ["300"], "... nor to %s" % source)
            unsigned = [request["headers"] for request in requests_seen() if request["operation"].startswith(operation)]
            tap.equal([headers["host"] for headers in unsigned], [host] * count, "... which is reached directly")
            tap.ok(not any("authorization" in headers for headers in unsigned), "a .netrc has no effect on %s" % source, unsigned)
        session.run("ALTER USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (ADD "
                    "role_arn 'arn:aws:iam::123456789012:role/reader')")
        tap.equal(session.run(COUNT % "here"), ["300"], "... nor to STS on this machine")
        tap.equal(trap.requests, [], "... and it was not")
        session.close()
    finally:
        cluster.remove()
        shutil.rmtree(directory)
    tap.end()


if __name__ == "__main__":
    main()
