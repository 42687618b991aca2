package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const federationHeading = `## federation

Whole nodes in one process on this machine (TestFederationFigures, internal/node), which talk over HTTP with sessions
and signed requests as always. One node mirrors a public log of %.0f entries of
another, from the first one, as a year leaves them: one of ten says another thing of a version than an earlier one, one of fifty
takes it back, and %.0f listings of %.0f bytes hold in the end. Every entry is held against the signed tree, every listing against its
digest. The search index takes it meanwhile, and a little after. Both nodes share the cores.

| | |
|---|---|
| mirrored | **%.0f entries/s** (%.0f s) |
| until all are found, too | **%.0f entries/s** |
| processor time of both nodes until then, on all cores | %.0f µs/entry |
| over the network | %.0f bytes/entry, %.0f requests |
| on disk at who mirrors, without the search index | %.0f bytes/entry |
| heap of both nodes together, at most | %.0f MiB |

Growth: each node has six datasets, one of every tier, and all mirror what they may know of all others, from nothing,
on these cores. Requests and bytes are those of all nodes together. Then one person searches, which asks all other nodes
live, and trains at another node, each alone and again and again: medians of 21 and 7.

| nodes | listings mirrored | until all have them | requests | bytes | a search | a training there |
|---|---|---|---|---|---|---|
%s
`

// federation runs the measurement where the harness of nodes is, and prints its figures.
func federation(c config, _ string) (string, error) {
	cmd := exec.Command("go", "test", "./internal/node", "-run", "TestFederationFigures$", "-count=1", "-timeout", "3h", "-v", "-args", "-figures", strconv.Itoa(c.entries))
	cmd.Dir, cmd.Stderr = "..", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	f, err := readFigures(out)
	if err != nil {
		return "", err
	}
	var rows []string
	for _, n := range []int{2, 5, 10, 20} {
		of := func(what string) float64 { return f[fmt.Sprintf("nodes-%d-%s", n, what)] }
		rows = append(rows, fmt.Sprintf("| %d | %.0f | %.1f s | %.0f | %.2f MB | %.0f ms | %.0f ms |", n, of("listings"), of("took"), of("requests"), of("bytes")/1e6, of("search"), of("there")))
	}
	return fmt.Sprintf(federationHeading, f["entries"], f["listings"], f["listing"], f["mirrored"], f["took"], f["found"], f["processor"], f["network"], f["requests"], f["disk"], f["heap"], strings.Join(rows, "\n")), nil
}

// readFigures reads lines like "figure took 13.6 s".
func readFigures(out []byte) (map[string]float64, error) {
	all := map[string]float64{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 3 || fields[0] != "figure" {
			continue
		}
		v, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a figure", s.Text())
		}
		all[fields[1]] = v
	}
	if all["mirrored"] == 0 || all["nodes-20-took"] == 0 {
		return nil, fmt.Errorf("figures are missing:\n%s", out)
	}
	return all, nil
}
