#!/bin/sh
# The image's entry: copies the samples to /html, then becomes Janus. Arguments go to Janus.
#
#   RUN_WITH_HOST_CONFIGURATION_DIR=true  the configuration is the folder mounted at /janus/etc/janus_host, not the embedded one
#   COPY_JANUS_SAMPLES=false              /html stays as it is
#   ICE_SERVERS='[{"urls": "turn:…"}]'    the relay, for the browsers that open the samples; Janus itself is told nothing of it. Without
#                                         it: what STUNNER_PUBLIC_ADDR, STUNNER_PUBLIC_PORT, STUNNER_USERNAME and STUNNER_PASSWORD say
set -eu

fail() {
	echo "start.sh: $*" >&2
	exit 1
}

switch() {
	case $2 in
	true) return 0 ;;
	false) return 1 ;;
	*) fail "$1 is '$2': use true or false" ;;
	esac
}

ice_servers() {
	if [ -n "${ICE_SERVERS:-}" ] || [ -z "${STUNNER_PUBLIC_ADDR:-}" ]; then
		echo "${ICE_SERVERS:-[]}"
		return
	fi
	case ${STUNNER_USERNAME:-}${STUNNER_PASSWORD:-} in
	*[\"\\]*) fail 'STUNNER_USERNAME or STUNNER_PASSWORD has a quote or a backslash: set ICE_SERVERS instead' ;;
	esac
	printf '[{"urls": "turn:%s:%s?transport=udp", "username": "%s", "credential": "%s"}]' \
		"$STUNNER_PUBLIC_ADDR" "${STUNNER_PUBLIC_PORT:-3478}" "${STUNNER_USERNAME:-}" "${STUNNER_PASSWORD:-}"
}

if switch COPY_JANUS_SAMPLES "${COPY_JANUS_SAMPLES:-true}"; then
	[ -w /html ] || fail "/html cannot be written by user 65532: chown the folder that is mounted there, or set COPY_JANUS_SAMPLES=false"
	rm -rf /html/*
	cp -R /samples/. /html/
	# The demos of 1.1.2 name two variables that their settings do not have.
	servers=$(ice_servers)
	printf 'iceServers = %s;\nvar token, apisecret;\n' "$servers" >>/html/settings.js
fi

config=/janus/etc/janus
if switch RUN_WITH_HOST_CONFIGURATION_DIR "${RUN_WITH_HOST_CONFIGURATION_DIR:-false}"; then
	config=/janus/etc/janus_host
fi
[ -r "$config/janus.jcfg" ] || fail "$config/janus.jcfg cannot be read: mount a folder with a configuration there"
for file in fullchain.pem privkey.pem; do
	[ -r "/etc/certs/$file" ] || fail "/etc/certs/$file cannot be read by user 65532: mount certificates at /etc/certs (and /archive, where certbot's links lead)"
done
exec janus --configs-folder="$config" "$@"
