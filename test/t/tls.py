"""Trusted certificates are accepted and all others rejected; the protocol is at least TLS 1.2."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

from harness import CA, TLS_URL, cluster_session, main, make_server

ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 27\r\n"
          b"Connection: close\r\n\r\n" + b'{"TrainingJobSummaries":[]}')


class Authority:
    """A certificate authority, and certificates that it signs."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.openssl("req", "-x509", *self.new_key(), "-keyout", name + ".key", "-out", name + ".pem", "-days", "2",
                     "-subj", "/CN=" + name, "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    @staticmethod
    def new_key():
        return "-newkey", "rsa:2048", "-nodes"

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.directory, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def path(self, name):
        return os.path.join(self.directory, name)

    def sign(self, name, host, *dates):
        """A certificate for the host; dates: not before, not after."""
        with open(self.path(name + ".ext"), "w", encoding="ascii") as file:
            file.write("subjectAltName=%s\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n"
                       "extendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n" % host)
        self.openssl("req", *self.new_key(), "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        # x509 knows no dates in older versions, ca does
        open(self.path("index"), "w", encoding="ascii").close()
        with open(self.path("ca.cnf"), "w", encoding="ascii") as file:
            file.write("[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n"
                       "policy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
        self.openssl("ca", "-batch", "-config", "ca.cnf", "-cert", self.name + ".pem", "-keyfile", self.name + ".key",
                     "-in", name + ".csr", "-out", name + ".pem", "-notext", "-extfile", name + ".ext",
                     "-startdate", dates[0] if dates else "20200101000000Z",
                     "-enddate", dates[1] if dates else "20490101000000Z")
        return name


def serve(authority, name, version=None, resumed=None):
    """Start a server with the certificate, which runs until the end; returns its port.

    It closes a connection after answering, and appends to the list whether each connection that sent
    a request had resumed a TLS session.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if version is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    context.load_cert_chain(authority.path(name + ".pem"), authority.path(name + ".key"))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(20)

    def run():
        while True:
            plain, _ = listener.accept()
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    data = b""
                    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
                        more = connection.recv(65536)
                        if not more:
                            break
                        data += more
                    # a client that refuses the certificate may do so behind the handshake
                    if data and resumed is not None:
                        resumed.append(connection.session_reused)
                    connection.sendall(ANSWER)
            except OSError:
                pass
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


COUNT = "SELECT count(*) FROM %s.training_jobs"


def trusting(folder, **environment):
    """A session of a cluster of its own, whose system's certificates are the folder's.

    No other process sees it: the folder is mounted over the system's in a namespace.
    """
    return cluster_session(within=["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"',
                                   folder, os.path.dirname(system_bundle())], **environment)


def system_bundle():
    """The certificate file that libcurl was built with."""
    return subprocess.run(["curl-config", "--ca"], check=True, capture_output=True, encoding="utf-8").stdout.strip()


def may_mount(directory):
    return os.getuid() == 0 and subprocess.run(
        ["unshare", "-m", "mount", "--bind", directory, os.path.dirname(system_bundle())],
        stderr=subprocess.DEVNULL, check=False).returncode == 0


def test_system(tap, good, other):
    """The system's certificates, as a file or as a directory."""
    if not may_mount(good.directory):
        tap.ok(True, "the system's certificates # SKIP only root who may mount can put others in their place")
        return
    ports = [serve(good, "valid"), serve(other, "foreign")]
    file = good.path("file")
    shutil.copytree(os.path.dirname(system_bundle()), file, symlinks=True)
    with open(os.path.join(file, os.path.basename(system_bundle())), "a", encoding="ascii") as bundle:
        with open(good.path("good.pem"), encoding="ascii") as certificate:
            bundle.write(certificate.read())
    hashed = good.path("hashed")
    os.mkdir(hashed)
    shutil.copy(good.path("good.pem"), hashed)
    good.openssl("rehash", hashed)
    keys = good.path("keys")
    os.mkdir(keys)
    os.chmod(keys, 0o777)

    for folder, title in ((file, "the system's certificates, in a file"),
                          (hashed, "the system's certificates, in a directory without the file")):
        # what the environment says has no effect
        with trusting(folder, SSLKEYLOGFILE=os.path.join(keys, "log"), SSL_CERT_FILE=other.path("other.pem"),
                      SSL_CERT_DIR=good.directory) as session:
            for name, port, expected in (("good", ports[0], (["0"], "00000")), ("other", ports[1], None)):
                make_server(session, name, url="https://127.0.0.1:%d" % port, max_attempts=1)
                lines, state = session.ask(COUNT % name)
                if expected is not None:
                    tap.equal((lines, state), expected, title)
                else:
                    tap.equal(state, "08001", "... and no others")
            tap.equal(session.run("SELECT ok FROM sagemaker_fdw_check_server('good') WHERE check_name = 'tls'"), ["t"],
                      "... and sagemaker_fdw_check_server says so")
    tap.equal(os.listdir(keys), [], "connections' keys are written nowhere, whatever SSLKEYLOGFILE says")


def test_sessions(session, tap, good, other):
    """Servers share TLS sessions and kept connections only if they trust the same certificates."""
    resumed = []
    port = serve(good, "valid", resumed=resumed)
    shutil.copy(good.path("good.pem"), good.path("same.pem"))
    for name, bundle in (("one", "good.pem"), ("two", "same.pem"), ("three", "other.pem")):
        make_server(session, name, url="https://127.0.0.1:%d" % port, max_attempts=1, ca_bundle=good.path(bundle))
    session.run("SELECT sagemaker_fdw_disconnect()")
    tap.equal([session.ask(COUNT % "one")[1] for _ in range(3)], ["00000"] * 3, "three connections, one after another")
    tap.equal(resumed, [False, True, True], "... resume the TLS session of the first")
    resumed.clear()
    tap.equal((session.ask(COUNT % "two")[1], resumed), ("00000", [False]), "a server with another ca_bundle does not")
    tap.equal(session.ask(COUNT % "three")[1], "08001", "... and fails if that lacks the authority")
    resumed.clear()
    session.run("SELECT sagemaker_fdw_disconnect()")
    tap.equal((session.ask(COUNT % "one")[1], resumed), ("00000", [False]), "sagemaker_fdw_disconnect forgets TLS sessions")

    make_server(session, "kept", url=TLS_URL, ca_bundle=CA, max_attempts=1)
    make_server(session, "stranger", url=TLS_URL, ca_bundle=good.path("good.pem"), max_attempts=1)
    tap.equal([session.ask(COUNT % name) for name in ("kept", "kept")], [(["300"], "00000")] * 2,
              "a connection is kept")
    tap.equal(session.ask(COUNT % "stranger")[1], "08001", "... but not for a server with another ca_bundle")

    changing = good.path("changing.pem")
    shutil.copy(other.path("other.pem"), changing)
    make_server(session, "changing", url="https://127.0.0.1:%d" % port, max_attempts=1, ca_bundle=changing)
    tap.equal(session.ask(COUNT % "changing")[1], "08001", "a ca_bundle without the authority")
    shutil.copy(good.path("good.pem"), changing)
    session.run("SELECT sagemaker_fdw_disconnect()")
    tap.equal(session.ask(COUNT % "changing")[1], "00000", "... is read again after sagemaker_fdw_disconnect")


def test(session, tap):
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        good, other = Authority(directory, "good"), Authority(directory, "other")
        cases = [
            ("a chain that is good", serve(good, good.sign("valid", "IP:127.0.0.1")), "good.pem", "00000"),
            ("an unknown authority", serve(other, other.sign("foreign", "IP:127.0.0.1")), "good.pem", "08001"),
            ("the system's authorities", serve(good, "valid"), None, "08001"),
            ("another host's certificate", serve(good, good.sign("elsewhere", "DNS:example.com")), "good.pem", "08001"),
            ("a certificate that has expired",
             serve(good, good.sign("old", "IP:127.0.0.1", "20200101000000Z", "20210101000000Z")), "good.pem", "08001"),
            ("a certificate that is not valid yet",
             serve(good, good.sign("new", "IP:127.0.0.1", "20480101000000Z", "20490101000000Z")), "good.pem", "08001"),
            ("a certificate that has signed itself", serve(other, "other"), "good.pem", "08001"),
            ("TLS 1.1", serve(good, "valid", ssl.TLSVersion.TLSv1_1), "good.pem", "08001"),
            ("TLS 1.2", serve(good, "valid", ssl.TLSVersion.TLSv1_2), "good.pem", "00000"),
            ("TLS 1.3", serve(good, "valid", ssl.TLSVersion.TLSv1_3), "good.pem", "00000"),
            ("a bundle that there is none of", serve(good, "valid"), "nothing.pem", "08001"),
        ]
        for number, (title, port, bundle, expected) in enumerate(cases):
            name = "s%d" % number
            options = {"ca_bundle": os.path.join(directory, bundle)} if bundle else {}
            make_server(session, name, url="https://127.0.0.1:%d" % port, max_attempts=1, **options)
            lines, state = session.ask("SELECT count(*) FROM %s.training_jobs" % name)
            tap.equal(state, expected, title)
            if expected == "00000":
                tap.equal(lines, ["0"], "... and the server can be reached")
            tap.equal(session.run("SELECT ok FROM sagemaker_fdw_check_server('%s') WHERE check_name = 'tls'" % name),
                      ["t" if expected == "00000" else "f"], "... and sagemaker_fdw_check_server says so")
        test_system(tap, good, other)
        test_sessions(session, tap, good, other)


if __name__ == "__main__":
    main(test)
