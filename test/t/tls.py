"""Certificates that are good are trusted, all others are not; the protocol is TLS 1.2 at least."""
import os
import socket
import ssl
import subprocess
import tempfile
import threading

from harness import main, make_server

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


def serve(authority, name, version=None):
    """A server with the certificate, for ever; returns its port."""
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
                    connection.sendall(ANSWER)
            except OSError:
                pass
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


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
                tap.equal(lines, ["0"], "... and it answers")
            tap.equal(session.run("SELECT ok FROM sagemaker_fdw_check_server('%s') WHERE check_name = 'tls'" % name),
                      ["t" if expected == "00000" else "f"], "... and the server's check says so")


if __name__ == "__main__":
    main(test)
