//go:build unix

package upload

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

func TestPaths(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	write := func(path string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, "a.csv"))
	write(filepath.Join(root, "sub", "b.csv"))
	write(filepath.Join(outside, "secret"))
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("sub/b.csv", "inner")
	link(filepath.Join(outside, "secret"), "leak")
	link("..", "up")
	link(outside, "dir")
	link("loop", "loop")
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(root, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := newHome(t, func(c *Config) {
		c.Roots = []string{filepath.Join(t.TempDir(), "gone"), root}
		c.MayName = func(context.Context, genesis.Principal, string) error { return nil }
	})
	for path, kind := range map[string]genesis.ErrorKind{
		filepath.Join(root, "a.csv"):                       "",
		filepath.Join(root, "sub/b.csv"):                   "",
		root + "/sub/../a.csv":                             "",
		filepath.Join(root, "inner"):                       "",
		filepath.Join(root, "missing"):                     genesis.NotFound,
		filepath.Join(root, "leak"):                        genesis.Permission,
		root + "/up/" + filepath.Base(root) + "/a.csv":     genesis.Permission,
		filepath.Join(root, "dir/secret"):                  genesis.Permission,
		filepath.Join(root, "loop"):                        genesis.Permission,
		filepath.Join(root, "sub"):                         genesis.Invalid,
		filepath.Join(root, "pipe"):                        genesis.Invalid,
		filepath.Join(root, "s"):                           genesis.Permission,
		root:                                               genesis.Permission,
		root + "/../" + filepath.Base(outside) + "/secret": genesis.Permission,
		filepath.Join(outside, "secret"):                   genesis.Permission,
		filepath.Join(outside, "missing"):                  genesis.Permission, // not even that it is missing
		root + "evil":                                      genesis.Permission,
		"a.csv":                                            genesis.Permission,
		"":                                                 genesis.Permission,
		root + "/a.csv\x00":                                genesis.Permission,
		"/dev/zero":                                        genesis.Permission,
	} {
		done := make(chan bool)
		go func() {
			defer close(done)
			f, err := h.Open(t.Context(), steward, genesis.FileRef{Token: genesis.PathToken + path})
			is(t, path, err, kind)
			if err == nil {
				if b, _ := io.ReadAll(f); string(b) != "data" {
					t.Errorf("%s holds %q", path, b)
				}
				f.Close()
			}
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: waits for a writer", path)
		}
	}
	_, err = h.Open(t.Context(), ada, genesis.FileRef{Token: genesis.PathToken + filepath.Join(root, "a.csv")})
	is(t, "who is no steward", err, genesis.Permission)
}
