# made.sh - for suites that keep what they make in a folder of the cache: sourced by their `run`, which sets `cache`.

# made WHAT KEY COMMAND…: runs the command unless it has succeeded with the same key.
made() {
  local stamp key
  stamp=$cache/$1.made
  key=$2
  shift 2
  [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || return 0
  "$@"
  printf '%s\n' "$key" >"$stamp"
}

# unpack PACKAGE FILE: a program of a Debian package into $cache/bin. The package is not installed: others have a program at the same place, or
# it would start a server.
unpack() {
  local dir
  dir=$(mktemp -d)
  chmod 755 "$dir"
  (cd "$dir" && { apt-get download -q "$1" || { apt-get update -qq && apt-get download -q "$1"; }; } && dpkg-deb -x "$1"_*.deb unpacked)
  cp "$dir/unpacked/$2" "$cache/bin/"
  rm -rf "$dir"
}
