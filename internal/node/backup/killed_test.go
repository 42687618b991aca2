//go:build unix

package backup

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// generation is content that is different, and longer, in each backup.
func generation(n int) content {
	c := content{"format": "1\n", "catalog.db": fmt.Sprint("catalogue ", n)}
	for i := range 30 + n {
		c[fmt.Sprintf("blobs/ab/%04d", i)] = strings.Repeat(fmt.Sprintf("%d ", i), 3000)
	}
	return c
}

// TestKilled kills backups, later where the last kill came early and sooner where it
// came too late, so that it hits them however busy the machine is. What is there afterwards is the
// backup before or the new one, whole, or for an archive nothing; and the next
// backup clears away the rest.
func TestKilled(t *testing.T) {
	if path := os.Getenv("GENESIS_TEST_BACKUP"); path != "" {
		var n int
		fmt.Sscan(os.Getenv("GENESIS_TEST_GENERATION"), &n)
		fmt.Println("begins")
		generation(n).backup(t, path)
		return
	}
	both(t, func(t *testing.T, path string) {
		isFolder := !strings.HasSuffix(path, ArchiveSuffix)
		if isFolder {
			generation(0).backup(t, path)
		}
		early, after := 0, 10*time.Millisecond
		for n := 1; n <= 12 || early == 0 && n <= 60; n++ {
			killBackup(t, path, n, after)
			before := early
			got, _, err := extract(t, path)
			switch _, there := os.Stat(path); {
			case err == nil && got["catalog.db"] == fmt.Sprint("catalogue ", n):
			case err == nil && isFolder:
				early++
			case os.IsNotExist(there) && !isFolder:
				early++
			default:
				t.Fatalf("killed in backup %d: %v, %q", n, err, got["catalog.db"])
			}
			if after /= 2; early > before {
				after = 3*after + time.Millisecond
			}
			if !isFolder {
				os.Remove(path)
			}
		}
		if early == 0 {
			t.Error("no backup was killed in time: the test shows nothing")
		}
		want := generation(20)
		want.backup(t, path)
		if got, _, err := extract(t, path); err != nil || len(got) != len(want) {
			t.Errorf("the next backup has %d files, %v", len(got), err)
		}
		leftovers(t, filepath.Dir(path), filepath.Base(path))
	})
}

// killBackup has another process make a backup, and kills it so long after it
// began.
func killBackup(t *testing.T, path string, n int, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "GENESIS_TEST_BACKUP="+path, fmt.Sprint("GENESIS_TEST_GENERATION=", n))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begins := make([]byte, len("begins\n"))
	if _, err := io.ReadFull(out, begins); err != nil || !bytes.HasPrefix(begins, []byte("begins")) {
		t.Fatalf("%q, %v", begins, err)
	}
	time.Sleep(after)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
