# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

"""The servers that clients are measured against, on loopback and on a processor of their own."""

import http.client
import http.server
import json
import os
import resource
import shutil
import socket
import subprocess
import threading
import time

from . import data

STREAMS = (64, 256, 1024, 4096)  # Chunks of the streams that nginx serves.
ADDRESSES = 64  # nginx listens on as many, so that a client can have as many upstreams.


def pin(processor):
    """For subprocess: what runs before the program does."""
    def before():
        if processor is not None:
            os.sched_setaffinity(0, {processor} if isinstance(processor, int) else processor)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return before


def make_certificates(folder):
    """An authority and a certificate of it for loopback: some clients do not trust one that signs itself."""
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-days", 2, "-subj", "/CN=bench authority", "-keyout", folder / "ca.key", "-out",
            folder / "ca.pem")
    (folder / "leaf.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", folder / "key.pem", "-out", folder / "leaf.csr")
    openssl("x509", "-req", "-in", folder / "leaf.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-CAcreateserial", "-days", 2, "-extfile", folder / "leaf.ext", "-out", folder / "cert.pem")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Nginx:
    """One worker. /whole/v1 answers at once; /stream_N/v1 sends a stream of N chunks as fast as it can."""

    def __init__(self, folder, processor):
        self.folder = folder
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
        if not program:
            raise RuntimeError("no nginx here (Debian: scripts/setup nginx-light)")
        about = subprocess.run([program, "-V"], capture_output=True, text=True).stderr
        self.version = about.split("nginx/")[1].split()[0]
        # Providers send streams in HTTP chunks. A file has a known length, unless a filter might change it.
        chunked = "sub_filter '-' '-'; sub_filter_types text/event-stream;" if "http_sub_module" in about else ""
        streams = folder / "streams"
        streams.mkdir()
        for count in STREAMS:
            (streams / f"stream_{count}.sse").write_bytes(data.stream(count))
        whole = data.whole().decode()
        assert "$" not in whole
        for _ in range(5):
            self.port, self.tls_port = free_port(), free_port()
            listen = "\n".join(f"listen 127.0.0.{i}:{self.port};" for i in range(2, ADDRESSES + 1))
            locations = "\n".join(f"location /stream_{n}/ {{ error_page 405 =200 /streams/stream_{n}.sse; return 405; }}"
                                  for n in STREAMS)
            (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_rlimit_nofile 16384;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 8192; multi_accept on; }}
http {{
    access_log off; server_tokens off; tcp_nodelay on; default_type application/json;
    types {{ text/event-stream sse; }}
    keepalive_timeout 600s; keepalive_requests 1000000000;
    client_body_buffer_size 64k; client_max_body_size 64m; client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        listen 127.0.0.1:{self.tls_port} ssl backlog=4096;
        {listen}
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
        add_header x-request-id req_1;
        location /whole/ {{ return 200 {quoted(whole)}; }}
        {locations}
        location /streams/ {{ internal; root {folder}; {chunked} }}
        location = /status {{ stub_status; }}
    }}
}}
""")
            self.process = subprocess.Popen([program, "-e", f"{folder}/nginx.log", "-c", folder / "nginx.conf"],
                                            preexec_fn=pin(processor), stdin=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL)
            if self._up():
                break
        else:
            raise RuntimeError("nginx did not start:\n" + (folder / "nginx.log").read_text()[-2000:])
        self.status = http.client.HTTPConnection("127.0.0.1", self.port)

    def _up(self):
        for _ in range(100):
            if self.process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def url(self, route, tls=False, address=1):
        return f"{'https' if tls else 'http'}://127.0.0.{address}:{self.tls_port if tls else self.port}/{route}/v1"

    def accepted(self):
        """The connections so far."""
        self.status.request("GET", "/status")
        return int(self.status.getresponse().read().split()[7])

    def stop(self):
        self.status.close()
        self.process.terminate()
        self.process.wait()


class Piped:
    """A server of ours: prints its port, ends when its standard input does."""

    def __init__(self, command, processor):
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=pin(processor))
        port = self.process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"{command[0]} did not start")
        self.port = int(port)

    def url(self, route):
        return f"http://127.0.0.1:{self.port}{route}/v1"

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def split_server(bench, folder, processor):
    """A stream of 256 chunks, each written by itself."""
    file = folder / "stream.sse"
    file.write_bytes(data.stream(256))
    return Piped([bench / "bench_server", "--split", f"tokens={file}"], processor)


class Mock(Piped):
    def __init__(self, bench, folder, script, processor):
        file = folder / "script.json"
        file.write_text(json.dumps(script))
        super().__init__([bench / "bench_mock", file], processor)

    def requests(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


class Recorder:
    """Keeps what it is asked, to see that all peers ask the same."""

    def __init__(self):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append((self.path, self.headers.get("Authorization"), body))
                answer = data.stream(3) if body.get("stream") else data.whole()
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream" if body.get("stream") else "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
