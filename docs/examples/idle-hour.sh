#!/usr/bin/env bash
# A connection that is quiet for an hour, behind a firewall that forgets it: bash and curl.
#
#     fwemu run --server 'python -m fwemu.scenarios.echo 7' --server-port 7 -- docs/examples/idle-hour.sh
#
# (with a python that has fwemu).  Ends with 0 if everything is as it says.
set -euo pipefail

fail() { echo "idle-hour.sh: $*" >&2; exit 1; }

api() { # METHOD PATH [JSON]
    curl --silent --show-error --fail-with-body --unix-socket "$FWEMU_CONTROL" \
        -X "$1" "http://fwemu$2" ${3:+-H 'Content-Type: application/json' --data "$3"}
}

api PATCH /config '{"settings": ["timeouts.tcp_established=1h", "unknown.inside=drop"]}' >/dev/null

exec 3<>"/dev/tcp/$FWEMU_SERVER_IP/7"
echo "hello" >&3
read -r -t 5 answer <&3 || fail "the server does not answer"
[ "$answer" = "hello" ] || fail "the server said: $answer"

happened=$(api POST /fast-forward '{"by": "1h 5m"}')
grep -q '"reason":"expired"' <<<"$happened" || fail "the session did not expire: $happened"

echo "still there?" >&3
if read -r -t 0.5 answer <&3; then fail "it was answered after all: $answer"; fi
api GET /stats | grep -q '"drop":{"unknown_packet":' || fail "nothing was dropped"

echo "after a quiet hour the firewall dropped the request, and bash heard nothing of it"
