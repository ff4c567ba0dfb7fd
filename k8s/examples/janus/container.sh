#!/bin/sh
# Builds the Janus images, and says how to run the result. All parameters are environment variables: README.md has the table.
set -eu
cd "$(dirname "$0")"

: "${IMAGE_TOOL:=docker}" "${IMAGE_REGISTRY:=}" "${IMAGE_REGISTRY_USER:=}" "${IMAGE_REGISTRY_PASSWORD:=}"
: "${BUILD_IMAGE_NAME:=janus_build}" "${BUILD_IMAGE_TAG:=latest}" "${TARGET_IMAGE_NAME:=janus}" "${TARGET_IMAGE_TAG:=latest}"
: "${BASE_IMAGE:=docker.io/library/debian:bookworm-slim}" "${JANUS_REPO:=}" "${JANUS_VERSION:=}" "${HOST_NAME:=<host>.<domain>}"
: "${SKIP_BUILD_IMAGE:=false}" "${SKIP_TARGET_IMAGE:=false}"
: "${BUILD_WITH_HOST_CONFIG_DIR:=false}" "${RUN_WITH_HOST_CONFIGURATION_DIR:=false}"

fail() {
	echo "container.sh: $*" >&2
	exit 1
}

for name in SKIP_BUILD_IMAGE SKIP_TARGET_IMAGE BUILD_WITH_HOST_CONFIG_DIR RUN_WITH_HOST_CONFIGURATION_DIR; do
	eval "value=\$$name"
	case $value in
	true | false) ;;
	*) fail "$name is '$value': use true or false" ;;
	esac
done

prefix=${IMAGE_REGISTRY:+$IMAGE_REGISTRY/}
build_image=$prefix$BUILD_IMAGE_NAME:$BUILD_IMAGE_TAG
target_image=$prefix$TARGET_IMAGE_NAME:$TARGET_IMAGE_TAG

# Every argument that a FROM of the Containerfile needs is given: older podman looks for stages by what is given, not by defaults.
from=debian
[ -z "$JANUS_REPO$JANUS_VERSION" ] || from=source # any of the two asks for the source; the other has its default then
build_args="--build-arg BASE_IMAGE=$BASE_IMAGE --build-arg JANUS_FROM=$from"
[ -z "$JANUS_REPO" ] || build_args="$build_args --build-arg JANUS_REPO=$JANUS_REPO"
[ -z "$JANUS_VERSION" ] || build_args="$build_args --build-arg JANUS_VERSION=$JANUS_VERSION"
config=build
[ "$BUILD_WITH_HOST_CONFIG_DIR" = false ] || config=context
target_args="--build-arg BASE_IMAGE=$BASE_IMAGE --build-arg JANUS_FROM=$from --build-arg BUILD_IMAGE=$build_image --build-arg CONFIG_FROM=$config"

# image NAME ARGUMENTS: with a tool it is built, and pushed if there is a registry; "external" only tells what another tool is to do.
image() {
	if [ "$IMAGE_TOOL" = external ]; then
		echo "--context $PWD --dockerfile Containerfile $2 --destination $1"
		return
	fi
	# shellcheck disable=SC2086 # the arguments are words
	"$IMAGE_TOOL" build --file Containerfile $2 --tag "$1" .
	[ -z "$IMAGE_REGISTRY" ] || "$IMAGE_TOOL" push "$1"
}

case $IMAGE_TOOL in
docker | podman)
	command -v "$IMAGE_TOOL" >/dev/null || fail "$IMAGE_TOOL is not installed: install it, or set IMAGE_TOOL to docker, podman or external"
	if [ -n "$IMAGE_REGISTRY_USER" ]; then
		[ -n "$IMAGE_REGISTRY" ] || fail 'IMAGE_REGISTRY_USER without IMAGE_REGISTRY'
		printf '%s' "$IMAGE_REGISTRY_PASSWORD" | "$IMAGE_TOOL" login --username "$IMAGE_REGISTRY_USER" --password-stdin "${IMAGE_REGISTRY%%/*}"
	fi
	;;
external) ;;
*) fail "IMAGE_TOOL is '$IMAGE_TOOL': use docker, podman or external" ;;
esac

[ "$SKIP_BUILD_IMAGE" = true ] || image "$build_image" "--target build $build_args"
[ "$SKIP_TARGET_IMAGE" = false ] || exit 0
image "$target_image" "$target_args"
[ "$IMAGE_TOOL" != external ] || exit 0

host_configuration=
if [ "$RUN_WITH_HOST_CONFIGURATION_DIR" = true ]; then
	host_configuration=" \\
    -v $PWD/janus_config:/janus/etc/janus_host:ro -e RUN_WITH_HOST_CONFIGURATION_DIR=true"
fi
cat <<END_OF_TEXT

$target_image is built. Run it with:

  $IMAGE_TOOL run --rm -d -p 8089:8089 -p 7889:7889 \\
    -v /var/www/html/container:/html \\
    -v /etc/letsencrypt/live/$HOST_NAME:/etc/certs:ro -v /etc/letsencrypt/archive:/archive:ro \\
    -v /var/janus/recordings:/janus/bin/janus-recordings$host_configuration \\
    $target_image
END_OF_TEXT
