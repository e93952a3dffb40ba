#!/bin/sh
# Install the locked npm packages of one folder, where npm is there; without it their tests are skipped.
set -eu
folder=$1
[ -f "$folder/package-lock.json" ] || exit 0
if ! command -v npm >/dev/null; then
	echo "npm is not installed: what needs $folder/package.json is skipped"
	exit 0
fi
stamp="$folder/node_modules/.installed"
if [ -f "$stamp" ] && [ "$stamp" -nt "$folder/package-lock.json" ]; then exit 0; fi
echo "Installing the npm packages of $folder"
npm ci --prefix "$folder" --loglevel=error
touch "$stamp"
