#!/bin/bash
# release.sh FOLDER [IMAGE...]: builds the images of a release from a clean checkout, all or the named ones. Bases are named by the
# digests that their tags have now, labels say what was built from which commit, and FOLDER gets, for each image, its contents as
# a CycloneDX SBOM (IMAGE.cdx.json, by syft) and a line in images.txt.
# BUILDER is docker, podman or buildah; BUILD_OPTIONS are further options of its command build. docs/releasing.md says the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
builder=${BUILDER:-docker}
read -ra options <<<"${BUILD_OPTIONS:-}"
[ $# -ge 1 ] || { echo "usage: release.sh FOLDER [IMAGE...]" >&2; exit 2; }
for program in "$builder" syft git; do
  command -v "$program" >/dev/null || { echo "release.sh: $program is not on the PATH" >&2; exit 1; }
done
if [ -n "$(git status --porcelain)" ]; then
  echo "release.sh: the checkout has changes that no commit has: commit or stash them" >&2
  exit 1
fi
folder=$1
shift
mkdir -p "$folder"
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' dataflows/__init__.py)
revision=$(git rev-parse HEAD)

digest_of() { # an image by its digest: it is pulled first, unless BUILD_OPTIONS have --pull-never
  [[ " ${options[*]-} " == *" --pull-never "* ]] || "$builder" pull "$1" >&2
  if [ "$builder" = buildah ]; then
    buildah images --format "{{.Name}}@{{.Digest}}" "$1"
  else
    "$builder" image inspect --format '{{index .RepoDigests 0}}' "$1"
  fi
}

[ $# -gt 0 ] || set -- flink-job python-services java-services kafka
for image in "$@"; do
  dockerfile=deploy/docker/$image.Dockerfile
  bases=()
  while IFS='=' read -r name base; do
    bases+=("$name=$(digest_of "$base")")
  done < <(sed -n 's/^ARG \([A-Z]*\)=\(.*:.*\)$/\1=\2/p' "$dockerfile")
  tag=latecomer/$image:$version
  # By options and not by arguments of the Dockerfile: buildah takes a LABEL from its cache whatever its arguments are.
  "$builder" build "${options[@]}" "${bases[@]/#/--build-arg=}" --label "org.opencontainers.image.version=$version" \
    --label "org.opencontainers.image.revision=$revision" --label "org.opencontainers.image.base.name=${bases[-1]#*=}" \
    --file "$dockerfile" --tag "$tag" .
  archive=$(mktemp --suffix .tar)
  if [ "$builder" = buildah ]; then
    rm "$archive"
    buildah push --quiet "$tag" "docker-archive:$archive:$tag"
  else
    "$builder" save --output "$archive" "$tag"
  fi
  SYFT_CHECK_FOR_APP_UPDATE=false syft scan --quiet --source-name "latecomer/$image" --source-version "$version" \
    --output "cyclonedx-json=$folder/$image.cdx.json" "docker-archive:$archive"
  rm "$archive"
  echo "$tag $revision ${bases[*]}" >>"$folder/images.txt"
done
