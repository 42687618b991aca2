//go:build linux || darwin

package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/testdata"
)

// TestCurlExample runs what docs/server.md shows, as it stands there.
func TestCurlExample(t *testing.T) {
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			testdata.Missing(t, tool, err.Error())
		}
	}
	page, err := os.ReadFile("../../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "```sh\n")
	script, _, ok := strings.Cut(script, "```")
	if !ok {
		t.Fatal("docs/server.md shows nothing to run")
	}
	w := newTown(t)
	w.settle("bo", []genesis.Duty{genesis.DutySteward})
	dir := t.TempDir()
	const there = "node=http://127.0.0.1:8472\n"
	if !strings.Contains(script, there) {
		t.Fatalf("it does not say %s", there)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", strings.Replace(script, there, "node="+w.reach(false)+"\n", 1))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "BO="+password, "ADA="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(dir, "got.csv"))
	if want := "site,speed\r\nnorth,7.5\r\nsouth,6.1\r\neast,5.2\r\n"; err != nil || string(got) != want {
		t.Errorf("downloaded was %q, %v", got, err)
	}
}
