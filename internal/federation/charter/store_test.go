package charter

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

func TestStore(t *testing.T) {
	w := world{t}
	dir := filepath.Join(t.TempDir(), "federation")
	if c, err := Load(disk.OS, dir); c != nil || err != nil {
		t.Fatal(c, err)
	}
	before, after := w.create("nrel"), w.three()
	if err := Save(disk.OS, dir, before); err != nil {
		t.Fatal(err)
	}
	// Whatever breaks while the next is kept, one of the two is there afterwards.
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir", ""} {
		faulty := &disk.Faulty{Disk: disk.OS}
		faulty.Fail(func(now, _ string) error {
			if now == op {
				return os.ErrInvalid
			}
			return nil
		})
		if err := Save(faulty, dir, after); (err == nil) != (op == "") {
			t.Errorf("%s: %v", op, err)
		}
		got := w.ok(Load(disk.OS, dir))
		if v := got.Versions(); v != before.Versions() && v != after.Versions() {
			t.Errorf("%s: %+v", op, v)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*"+disk.Temporary)); len(left) > 0 {
			t.Errorf("%s: left %v", op, left)
		}
	}
	got := w.ok(Load(disk.OS, dir))
	if !cmp.Equal(got.Bundle(), after.Bundle()) {
		t.Error("the bytes are others")
	}
	path := filepath.Join(dir, stateFile)
	for _, tt := range []struct {
		text string
		want genesis.ErrorKind
	}{{`{"format":2}`, genesis.Unsupported}, {`{"format":1}`, genesis.Internal}, {``, genesis.Internal}} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(disk.OS, dir); genesis.KindOf(err) != tt.want {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	if err := errors.Join(Remove(disk.OS, dir), Remove(disk.OS, dir)); err != nil {
		t.Error(err)
	}
}
