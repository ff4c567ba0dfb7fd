# node.sh - for suites with browsers: sourced by their `run`.

# The browser's driver is the one of tests/e2e.
node_ready() {
	local e2e
	e2e=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../e2e" && pwd)
	if [ ! -d "$e2e/node_modules/playwright-core" ]; then
		npm --prefix "$e2e" ci --ignore-scripts --no-audit --no-fund
	fi
}

# run_cases PROGRAM [CASE…]: each in a sandbox of its own, all of them even when one fails. Without names: all that PROGRAM lists.
run_cases() {
	local program=$1 case failed=0 started list
	shift
	if [ $# = 0 ]; then
		list=$(node "$program" --list) || return 1
		while IFS= read -r case; do set -- "$@" "$case"; done <<-END
			$list
		END
	fi
	[ -n "$1" ] || { printf '%s lists no case\n' "$program" >&2; return 1; }
	for case in "$@"; do
		started=$SECONDS
		if "$(dirname "${BASH_SOURCE[0]}")/sandbox" timeout --kill-after=5 120 node "$program" "$case"; then
			printf 'ok    %s, %d s\n' "$case" $((SECONDS - started))
		else
			printf 'FAIL  %s, %d s\n' "$case" $((SECONDS - started))
			failed=1
		fi
	done
	return "$failed"
}
