#!/bin/sh
# Runs schemathesis over the description of the control API against a node of its own, which is thrown away.
# Wants `schemathesis` on PATH (it is a Python package) and a built dae: tests/soak/schemathesis.sh [path of dae] [examples]
set -eu
dae=$(realpath "${1:-target/debug/dae}")
examples=${2:-50}
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
node=
trap 'test -z "$node" || kill "$node"; wait; rm -rf "$work"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export XDG_CONFIG_HOME="$work/config" XDG_RUNTIME_DIR="$work"
token=$("$dae" node init --json --dir "$work/node" --domain apps.localhost --listen "127.0.0.1:$port" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
"$dae" node serve --dir "$work/node" > "$work/log" 2>&1 &
node=$!
until grep -q Ready "$work/log"; do sleep 0.1; done
mkdir "$work/a"
printf 'application: a\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n' > "$work/a/app.yaml"
printf 'def app(environ, start):\n    start("200 OK", [])\n    return [b"a"]\n' > "$work/a/app.py"
touch "$work/a/pip-req.txt"
"$dae" remote add here "http://127.0.0.1:$port" --token "$token"
"$dae" -C "$work/a" deploy
# Left out: a stream without an end, and running what chance has put together.
cd "$work"
schemathesis run "$here/docs/openapi.yaml" --url "http://127.0.0.1:$port" -H "Authorization: Bearer $token" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --max-examples "$examples" --request-timeout 10 --exclude-operation-id logs --exclude-operation-id run
kill -0 "$node"
