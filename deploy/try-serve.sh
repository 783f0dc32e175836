#!/usr/bin/env bash
# Tries `samlgate serve` on this machine alone: curl posts a sound and a broken sign-in through the proxy to a small upstream that stands
# in for Entra; then the log and the metrics are shown. Needs cargo (or SAMLGATE=path/to/samlgate), openssl, python3, curl.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in openssl python3 curl; do
    command -v "$tool" >/dev/null || { echo "try-serve: $tool is not installed" >&2; exit 2; }
done
if [ -z "${SAMLGATE:-}" ]; then
    cargo build --quiet
    SAMLGATE=${CARGO_TARGET_DIR:-target}/debug/samlgate
fi

fixtures=$PWD/fixtures
host=login.microsoftonline.com
folder=$(mktemp -d)
started=()
finish() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    wait
    rm -rf "$folder"
}
trap finish EXIT

# Waits until a file has a line with this pattern, and prints what the pattern matches.
await() {
    local file=$1 pattern=$2
    for _ in $(seq 100); do
        if grep -oE -m 1 "$pattern" "$file"; then return; fi
        sleep 0.1
    done
    cat "$file" >&2
    return 1
}

# a throw-away certificate for the name that the proxy stands in for
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
    -keyout "$folder/proxy.key" -out "$folder/proxy.pem" 2>/dev/null

# an upstream that says how many bytes it was sent, and their SHA-256
python3 - >"$folder/upstream" <<'PYTHON' &
import hashlib, http.server

class Upstream(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = f"upstream: {len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
started+=($!)
upstream=$(await "$folder/upstream" '[0-9]+')

# The fixtures were signed for 2026-11-23 12:00 UTC. At any other time Entra would refuse the sound one, too, with AADSTS500089: that is what
# the log predicts, while this policy makes the time a warning.
cat >"$folder/samlgate.toml" <<TOML
environment = "test"

[listen]
reverse = "127.0.0.1:0"
admin = "127.0.0.1:0"

[tls]
certificate = "proxy.pem"
key = "proxy.key"

[upstream]
url = "http://127.0.0.1:$upstream"

[[federation]]
domain = "domain.company"
issuer = "https://authentik.company/application/saml/m365/metadata/"
certificates = ["$fixtures/certificates/current.cer", "$fixtures/certificates/next.cer"]
users = "$fixtures/tenants/users.csv"
mfa_behavior = "acceptIfMfaDoneByFederatedIdp"

[policy]
time = "warn"
TOML
"$SAMLGATE" serve --config "$folder/samlgate.toml" 2>"$folder/log" &
started+=($!)
serving=$(await "$folder/log" '.*"message":"serving".*')
reverse=$(grep -oP '"reverse":"\K[^"]+' <<<"$serving")
admin=$(grep -oP '"admin":"\K[^"]+' <<<"$serving")

for response in producer_authentik_from_2026_2 immutable_id_of_nobody; do
    printf 'SAMLResponse=%s&RelayState=%s' "$(base64 -w0 "$fixtures/responses/$response/response.xml" | sed 's/+/%2B/g; s/\//%2F/g; s/=/%3D/g')" try \
        >"$folder/form"
    echo "curl:     $(wc -c <"$folder/form") bytes, sha256 $(openssl dgst -sha256 -r "$folder/form" | cut -d' ' -f1)  ($response)"
    curl --silent --show-error --noproxy '*' --max-time 20 --http2 --cacert "$folder/proxy.pem" --connect-to "$host:443:$reverse" \
        --header "x-request-id: $response" --data-binary "@$folder/form" "https://$host/login.srf"
    await "$folder/log" ".*\"request_id\":\"$response\".*"
    echo
done
curl --silent --noproxy '*' --max-time 20 "http://$admin/metrics" |
    grep -E '^samlgate_(messages|responses|requests)_total.* [1-9]|^samlgate_checks_total.*outcome="fail".* [1-9]'
