# go.sh - for suites with Go modules: sourced by their `run`.

# go_ready FOLDER: leaves with a clear line unless the Go here is as new as the module in FOLDER asks for. Debian 12's is too old, and a
# toolchain is not downloaded behind anybody's back.
go_ready() {
	local wanted have folder
	folder=$(cd "$1" && pwd)
	wanted=$(sed -n 's/^go \([0-9.]*\)$/\1/p' "$1/go.mod")
	if ! command -v go >/dev/null; then
		printf 'Go %s or newer is needed for %s and there is none: install it from https://go.dev/dl and put it into PATH\n' "$wanted" "$folder" >&2
		exit 1
	fi
	have=$(cd / && go env GOVERSION) && have=${have#go}
	if [ "$(printf '%s\n' "$wanted" "${have%%[!0-9.]*}" | sort -V | head -n 1)" != "$wanted" ]; then
		printf 'Go %s or newer is needed for %s; %s is %s: install it from https://go.dev/dl and put it first into PATH\n' \
			"$wanted" "$folder" "$(command -v go)" "$have" >&2
		exit 1
	fi
	export GOTOOLCHAIN=local GOFLAGS="-mod=readonly -modcacherw -buildvcs=false" CGO_ENABLED=0
	export GOMODCACHE=$UTURN_INTEROP_CACHE/go/modules GOCACHE=$UTURN_INTEROP_CACHE/go/build
	mkdir -p "$GOMODCACHE" "$GOCACHE"
}
