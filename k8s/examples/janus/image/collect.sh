#!/bin/sh
# Puts what the gateway needs at run time, and nothing else, into a folder: usage: collect.sh FOLDER
set -eu

out=$1
folder=$(dirname "$(find /usr/lib -path '*/janus/plugins' -type d | head -n 1)")
mkdir -p "$out/bin" "$out/usr/bin" "$out$folder" "$out/janus/bin/janus-recordings" "$out/janus/etc/janus" "$out/janus/etc/janus_host" \
	"$out/etc/certs" "$out/archive" "$out/html" "$out/tmp"
chmod 1777 "$out/tmp"
chown 65532:65532 "$out/html" "$out/janus/bin/janus-recordings"

cp "$(command -v janus)" "$out/usr/bin/janus"
cp -R "$folder/." "$out$folder/"
cp "$(command -v busybox)" "$out/bin/busybox"
for name in cat cp ls rm sh wget; do ln -s busybox "$out/bin/$name"; done

# What libsrtp's NSS opens by name, which no list of needed libraries tells.
find /usr/lib -name 'libsoftokn3.*' -o -name 'libfreebl*3.*' | while read -r module; do
	mkdir -p "$out$(dirname "$module")"
	cp -L "$module" "$out$module"
done

# Every shared library that all of these name, at the path where the loader looks for it.
libraries=$(mktemp)
{ ldd "$out/usr/bin/janus"; find "$out/usr/lib" -name '*.so*' -type f -exec ldd {} +; } >"$libraries"
if grep 'not found' "$libraries"; then
	echo "collect.sh: a library is missing" >&2
	exit 1
fi
sed -n 's/^.*[ \t]\(\/[^ ]*\) (0x.*$/\1/p' "$libraries" | sort -u | while read -r library; do
	mkdir -p "$out$(dirname "$library")"
	cp -L "$library" "$out$library"
done

# The demos, with their links followed.
demos=$(dirname "$(find /usr/share/janus -name echotest.html | head -n 1)")
mkdir -p "$out/samples"
cp -RL "$demos/." "$out/samples/"

printf 'root:x:0:0:root:/:/bin/sh\njanus:x:65532:65532:janus:/tmp:/bin/sh\n' >"$out/etc/passwd"
printf 'root:x:0:\njanus:x:65532:\n' >"$out/etc/group"
cp /image/start.sh "$out/start.sh"
chmod 755 "$out/start.sh"
