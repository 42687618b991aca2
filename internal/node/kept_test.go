//go:build linux || darwin

package node

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

var _ withKept = (*works)(nil)

// TestKeptInputsCount: what a run that nobody waits for has to keep counts against the
// quota of whoever asks over the network.
func TestKeptInputsCount(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), "node: here\nuploads: {max: 1KiB, quota: 1KiB}\n")
	w, _ := reopen(t, dir, map[string]string{})
	w.settle("sam", []genesis.Duty{genesis.DutySteward})
	c := client.New(w.url, nil).WithToken(w.token["sam"])
	csv := "a,b\n" + strings.Repeat("1,2\n", 150)
	u, err := c.Upload(t.Context(), strings.NewReader(csv), int64(len(csv)), "x.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	ref := fmt.Sprintf(`[{"path":"x.csv","token":"upload:%s"}]`, u.ID)
	submit := func(splits string) (int, string) {
		status, b := w.call("sam", "POST", "/v1/runs", fmt.Sprintf(`{"kind":"prepare","request":{"name":"x","files":%s,"options":{"no_proof":true,"split_files":%s}}}`, ref, splits))
		return status, string(b)
	}
	if status, b := submit(ref); status != 403 || !strings.Contains(b, "kept for your runs") {
		t.Errorf("more than the quota: %d %s", status, b)
	}
	if status, b := submit("[]"); status != 200 && status != 201 {
		t.Errorf("less than the quota: %d %s", status, b)
	}
}
