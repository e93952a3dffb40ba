// Reads a published log with Go's own transparency log packages, golang.org/x/mod/sumdb/{note,tlog}: checkpoint,
// tiles, entries and proofs. It knows nothing of Denizen but the addresses that C2SP tlog-tiles lays down.
//
// log_reader BASE [PROOF ENTRY]...: BASE is a folder or the address of the log; PROOF is a file with a tlog-proof and
// ENTRY a file with the bytes of the entry it is about. It prints what it found as JSON, or fails.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type published struct{ base string }

func (p published) get(path string) ([]byte, error) {
	if !strings.HasPrefix(p.base, "http") {
		return os.ReadFile(filepath.Join(p.base, filepath.FromSlash(path)))
	}
	answer, err := http.Get(p.base + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// tlog's own paths begin with the height, which tlog-tiles leaves out: its tiles all have height 8.
func pathOf(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", height))
}

func (p published) Height() int { return height }

func (p published) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		content, err := p.get(pathOf(t))
		if err != nil {
			return nil, err
		}
		all = append(all, content)
	}
	return all, nil
}

func (p published) SaveTiles([]tlog.Tile, [][]byte) {}

func (p published) entries(n int64, width int) ([][]byte, error) {
	path := strings.Replace(pathOf(tlog.Tile{H: height, L: 0, N: n, W: width}), "tile/0/", "tile/entries/", 1)
	content, err := p.get(path)
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for len(content) >= 2 {
		length := int(binary.BigEndian.Uint16(content))
		if len(content) < 2+length {
			return nil, errors.New("a bundle ends within an entry")
		}
		found = append(found, content[2:2+length])
		content = content[2+length:]
	}
	if len(content) != 0 || len(found) != width {
		return nil, fmt.Errorf("%s holds %d entries", path, len(found))
	}
	return found, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func treeOf(text string, keys note.Verifiers) (string, tlog.Tree, error) {
	opened, err := note.Open([]byte(text), keys)
	if err != nil {
		return "", tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return "", tlog.Tree{}, errors.New("no checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return "", tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return lines[0], tlog.Tree{N: size, Hash: root}, err
}

func checkProof(text string, entry []byte, keys note.Verifiers) error {
	head, rest, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("no tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return err
		}
		proof = append(proof, tlog.Hash(raw))
	}
	_, tree, err := treeOf(rest, keys)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func main() {
	log := published{os.Args[1]}
	vkeys, err := log.get("vkey")
	check(err)
	var verifiers []note.Verifier
	for _, line := range strings.Fields(string(vkeys)) {
		verifier, err := note.NewVerifier(line)
		check(err)
		verifiers = append(verifiers, verifier)
	}
	keys := note.VerifierList(verifiers...)
	text, err := log.get("checkpoint")
	check(err)
	origin, tree, err := treeOf(string(text), keys)
	check(err)

	// The reader holds every tile against the root of the checkpoint.
	reader := tlog.TileHashReader(tree, log)
	records := int64(0)
	for n := int64(0); n*256 < tree.N; n++ {
		width := int(min(256, tree.N-n*256))
		entries, err := log.entries(n, width)
		check(err)
		for at, entry := range entries {
			index := n*256 + int64(at)
			if index%37 != 0 && at != width-1 {
				continue
			}
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			check(err)
			check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)))
			records++
		}
	}
	for old := int64(1); old <= tree.N; old += 1 + tree.N/7 {
		before, err := tlog.TreeHash(old, reader)
		check(err)
		proof, err := tlog.ProveTree(tree.N, old, reader)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old, before))
	}
	proofs := 0
	for at := 2; at+1 < len(os.Args); at += 2 {
		proof, err := os.ReadFile(os.Args[at])
		check(err)
		entry, err := os.ReadFile(os.Args[at+1])
		check(err)
		check(checkProof(string(proof), entry, keys))
		proofs++
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"origin": origin, "size": tree.N, "records": records, "proofs": proofs,
	}))
}
