#!/bin/sh
# Build the reader of logs that stands on Go's own packages, where Go is there; without it its tests are skipped.
set -eu
folder=tests/interop/log_reader
built=.cache/log_reader
if ! command -v go >/dev/null; then
	echo "go is not installed: what needs $folder is skipped"
	exit 0
fi
if [ -x "$built" ] && [ "$built" -nt "$folder/main.go" ] && [ "$built" -nt "$folder/go.sum" ]; then exit 0; fi
echo "Building $folder"
mkdir -p .cache
go build -C "$folder" -mod=readonly -o "$PWD/$built" . || echo "go could not build $folder: its tests are skipped"
