package testdata

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// onDisk is where the test that runs in a namespace of its own has its disk.
const onDisk = "GENESIS_TEST_DISK"

// Disk runs the test that calls it again, in a namespace of its own, where it returns
// the folder of a disk of some size ("64m") that the test alone has. Here it returns ""
// once that one passed, fails when it did not, and is [Missing] "namespaces" where the
// kernel gives none.
func Disk(t *testing.T, size string) string {
	t.Helper()
	if dir := os.Getenv(onDisk); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
			t.Fatalf("cannot mount a disk: %v", err)
		}
		return dir
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), onDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || bytes.Contains(out, []byte("cannot mount")) {
		Missing(t, "namespaces", "the kernel gives this user no namespace with a disk of its own: "+err.Error())
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(string(out))
	return ""
}
