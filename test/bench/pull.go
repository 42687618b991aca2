package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pullParts is of how many files the model consists that is copied.
const pullParts = 4

// pulls compares copying a version between two nodes with curl of the same bytes.
func pulls(c config, genesis string) (string, error) {
	nrel, err := c.startPeer(genesis, "nrel")
	if err != nil {
		return "", err
	}
	defer nrel.stop()
	mit, err := c.startPeer(genesis, "mit")
	if err != nil {
		return "", err
	}
	defer mit.stop()
	urls, err := c.serveParts(genesis, nrel, mit)
	if err != nil {
		return "", err
	}
	copies := 0
	cmp, err := c.compare("pull", func() (usage, error) {
		copies++
		name := fmt.Sprintf("copy-%d", copies)
		u, err := c.once([]string{genesis, "--home", mit.home, "pull", "nrel/big", "--name", name})
		if err == nil { // else the next one would find its bytes
			_, err = mit.run(genesis, "", "purge", name, "--reason", "measured", "--yes")
		}
		return u, err
	}, func() (usage, error) {
		args := []string{"curl", "--fail", "--silent", "--show-error", "--parallel"}
		var files []string
		for i, url := range urls {
			files = append(files, filepath.Join(c.dir, fmt.Sprintf("curled-%d", i)))
			args = append(args, "--output", files[i], url)
		}
		u, err := c.once(args)
		removeAll(files...)
		return u, err
	})
	if err != nil {
		return "", err
	}
	rate := func(u usage) float64 { return float64(c.size) / u.wall.Seconds() / 1e6 }
	return fmt.Sprintf(pullHeading, float64(c.size)/1e9, pullParts, c.pairs) +
		fmt.Sprintf("| wall time | %s | %.2f s (%.0f MB/s) | %.2f s (%.0f MB/s) |\n\n", cmp.ratio(wall), median(cmp.a, wall), median(cmp.a, rate), median(cmp.b, wall), median(cmp.b, rate)), nil
}

const pullHeading = `## pull

` + "`genesis pull`" + ` of %.2f GB in %d files from another node over loopback, to the copy that is committed: every block checked by the owner before it is sent
and against the Merkle root when it comes, each file against its digest, synced to the disk, with decisions and evidence at both nodes. Beside it ` + "`curl --parallel`" + ` of the
same files from the same node (checked by it likewise), to files that nobody checks or syncs. Both nodes and the commands share the machine's cores, of which the commands are pinned. %d pairs.

| | genesis / peer | genesis, median | peer, median |
|---|---|---|---|
`

// serveParts makes the two a federation, and has one serve files of noise as a model that
// everybody may read. It returns their URLs.
func (c config) serveParts(genesis string, nrel, mit *peer) (urls []string, err error) {
	if _, err := nrel.run(genesis, "", "federation", "create", "bench"); err != nil {
		return nil, err
	}
	invitation, err := nrel.run(genesis, "", "federation", "invite", "MIT", "--sector", "university")
	if err == nil {
		_, err = mit.run(genesis, invitation, "federation", "join")
	}
	if err != nil {
		return nil, err
	}
	add := []string{"model", "add", "big"}
	for i := range pullParts {
		path := filepath.Join(c.dir, fmt.Sprintf("part%d.bin", i))
		if err := writeNoise(path, c.size/pullParts, byte(i)); err != nil {
			return nil, err
		}
		add = append(add, path)
		urls = append(urls, fmt.Sprintf("%s/v1/models/big/parts/part%d.bin", nrel.url, i))
	}
	for _, args := range [][]string{add, {"answer", "big", "inputs-not-stated", "of noise"}, {"publish", "big", "--tier", "public"}} {
		if _, err := nrel.run(genesis, "", args...); err != nil {
			return nil, err
		}
	}
	return urls, nil
}

func writeNoise(path string, size int64, seed byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	noise, block := rand.NewChaCha8([32]byte{seed}), make([]byte, 1<<20)
	for ; size > 0; size -= int64(len(block)) {
		block = block[:min(int64(len(block)), size)]
		_, _ = noise.Read(block) // never fails
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return f.Close()
}

// peer is a running node of a federation.
type peer struct {
	cmd       *exec.Cmd
	home, url string
}

func (p *peer) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
}

// run runs a command on the peer's home and returns what it prints.
func (p *peer) run(genesis, in string, args ...string) (string, error) {
	cmd := exec.Command(genesis, append([]string{"--home", p.home}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%v: %v\n%s", args, err, errs.String())
	}
	return out.String(), nil
}

func (c config) startPeer(genesis, name string) (*peer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	p := &peer{home: filepath.Join(c.dir, name), url: "http://" + addr}
	config := fmt.Sprintf("node: %s\nsector: laboratory\nurl: %s\nserve:\n  listen: %s\nlog:\n  level: error\n", name, p.url, addr)
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(p.home, "config.yaml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(genesis, "serve", "--home", p.home)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 600 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			return p, conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("the node %s does not answer", name)
}
