#!/bin/sh
# The parts of `make test` that no Python package carries: PostgreSQL's server programs, Redis, nginx and Chromium.
# Takes what the system has; else installs Debian's packages where that is allowed; else says what to install.
set -eu

POSTGRESQL_AT_LEAST=14

has_postgresql() {
	for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null) $(dirname "$(command -v initdb || echo /nowhere/x)"); do
		[ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ] || continue
		version=$("$folder/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
		[ "$version" -ge "$POSTGRESQL_AT_LEAST" ] && return 0
	done
	return 1
}

has_chromium() {
	[ -n "${DENIZEN_CHROMIUM:-}" ] && [ -x "$DENIZEN_CHROMIUM" ] && return 0
	for name in chromium chromium-browser google-chrome; do
		command -v "$name" >/dev/null && return 0
	done
	return 1
}

has_redis() {
	command -v redis-server >/dev/null || command -v valkey-server >/dev/null
}

# Daemons lie where not everybody's PATH leads (tests/support/nginx.py looks there, too).
has_nginx() {
	PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v nginx >/dev/null
}

missing=""
has_postgresql || missing="postgresql"
has_redis || missing="$missing redis-server"
has_nginx || missing="$missing nginx"
has_chromium || missing="$missing chromium fonts-noto-core"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then as_root=""; else as_root="sudo -n"; fi
if command -v apt-get >/dev/null && { [ -z "$as_root" ] || sudo -n true 2>/dev/null; }; then
	echo "Installing for the tests:$(echo " $missing" | tr -s ' ')"
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # both hold words, not one name
	if $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null &&
		has_postgresql && has_redis && has_nginx && has_chromium; then
		exit 0
	fi
fi

{
	echo "The tests need what this machine lacks:"
	has_postgresql || echo "  - PostgreSQL $POSTGRESQL_AT_LEAST or newer, its server programs (initdb, pg_ctl, postgres)"
	has_redis || echo "  - Redis or Valkey, its server program (redis-server or valkey-server)"
	has_nginx || echo "  - nginx"
	has_chromium || echo "  - Chromium (chromium, chromium-browser or google-chrome in PATH, or its path in DENIZEN_CHROMIUM)"
	echo "On Debian or Ubuntu: sudo apt-get install --no-install-recommends $missing"
} >&2
exit 1
