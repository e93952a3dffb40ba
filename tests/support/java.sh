#!/bin/sh
# Build the reader of papers that stands on veraPDF, PDFBox and ZXing, where Java and Maven are there; without them its
# tests are skipped. Its libraries are those whose hashes are written down.
set -eu
folder=tests/interop/paper_reader
built=.cache/paper_reader
if ! command -v javac >/dev/null || ! command -v mvn >/dev/null; then
	echo "javac or mvn is not installed: what needs $folder is skipped"
	exit 0
fi
if [ -f "$built/PaperReader.class" ] && [ "$built/PaperReader.class" -nt "$folder/PaperReader.java" ] &&
	[ "$built/PaperReader.class" -nt "$folder/libraries.sha256" ]; then exit 0; fi
echo "Building $folder"
rm -rf "$built"
mkdir -p "$built/libraries"
mvn -q -B -f "$folder/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$PWD/$built/libraries" >/dev/null || {
	echo "mvn could not get the libraries of $folder: its tests are skipped"
	exit 0
}
(cd "$built/libraries" && sha256sum --quiet --check) <"$folder/libraries.sha256"
javac -cp "$built/libraries/*" -d "$built" "$folder/PaperReader.java"
