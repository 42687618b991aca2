package ingest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// restless is a file to which something happens at its n-th read.
type restless struct {
	*os.File
	reads atomic.Int32
	at    int32
	act   func()
}

func (r *restless) ReadAt(p []byte, off int64) (int, error) {
	if r.reads.Add(1) == r.at {
		r.act()
	}
	return r.File.ReadAt(p, off)
}

func restlessFile(t *testing.T, at int32, act func(path string)) *format.Raw {
	t.Helper()
	path := filepath.Join(t.TempDir(), "growing.csv")
	var b strings.Builder
	b.WriteString("a,b\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "%d,%d\n", 1000+i, 2000+i)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &format.Raw{Name: path, Size: int64(b.Len()), At: &restless{File: f, at: at, act: func() { act(path) }}}
}

// TestChangedWhileRead holds that what changes between opening a file and
// storing its values makes no version, wherever in between that is.
func TestChangedWhileRead(t *testing.T) {
	acts := map[string]func(path string){
		"cut":   func(path string) { os.Truncate(path, 4+10*750) },
		"grown": func(path string) { appendTo(path, "1,1\n") },
		"edited": func(path string) {
			f, _ := os.OpenFile(path, os.O_WRONLY, 0)
			f.WriteAt([]byte("9"), 4)
			f.Close()
		},
	}
	for name, act := range acts {
		refused := 0
		for at := int32(1); at < 30; at++ {
			r := restlessFile(t, at, act)
			_, err := Prepare(context.Background(), testEnv(t), []*format.Raw{r}, nil, genesis.PrepareOptions{}, nil)
			acted := r.At.(*restless).reads.Load() >= at
			if acted != (err != nil) || err != nil && genesis.KindOf(err) != genesis.Conflict && genesis.KindOf(err) != genesis.Invalid {
				t.Errorf("%s at read %d: %v", name, at, err)
			}
			if err != nil {
				refused++
			}
		}
		if refused < 3 {
			t.Errorf("%s: refused %d times only", name, refused)
		}
	}
}

func appendTo(path, text string) {
	f, _ := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	f.WriteString(text)
	f.Close()
}

// TestGrownBeforeRead refuses a file that is no longer as long as when it was
// opened; to predict is to read as well.
func TestGrownBeforeRead(t *testing.T) {
	r := restlessFile(t, 0, nil)
	appendTo(r.Name, "1,1\n")
	want := []genesis.Column{{Name: "a", Type: genesis.Integer}}
	if _, err := Conform(context.Background(), testEnv(t), []*format.Raw{r}, want); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("grown file: %v", err)
	}
	r = restlessFile(t, 1<<30, nil)
	c, err := Conform(context.Background(), testEnv(t), []*format.Raw{r}, want)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	os.Truncate(r.Name, 4+10*990)
	for err == nil {
		_, err = c.Next()
	}
	if err == io.EOF || genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("cut file: %v", err)
	}
}
