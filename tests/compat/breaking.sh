#!/usr/bin/env bash
# Compares protos with those of every release: nothing that was released may be renumbered, retyped or taken away.
# Usage: BUF=path/to/buf tests/compat/breaking.sh DIR
# The releases' images are committed, for a clone may have no tags; if there is a tag, its protos are compared, too.
set -euo pipefail
protos=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
buf=$(cd "$(dirname "$BUF")" && pwd)/buf

compare() {
  (cd "$protos" && "$buf" breaking . --against "$1") || { echo "the protos break with $2"; exit 1; }
  echo "protos: what $2 says still holds"
}

shopt -s nullglob
images=(protos/released/*.binpb)
[ ${#images[@]} -gt 0 ] || { echo "there is no image of a release in protos/released"; exit 1; }
for image in "${images[@]}"; do
  compare "$PWD/$image" "release $(basename "$image" .binpb)"
done
if tag=$(git describe --tags --abbrev=0 2>/dev/null); then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  git archive "$tag" protos | tar -x -C "$work"
  compare "$work/protos" "tag $tag"
fi
