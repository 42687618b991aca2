package node

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/work"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Worker is the process of one run: it computes the job on in, with the blobs of
// the home at path, and answers on out. It returns the process's exit status.
func Worker(path string, in io.Reader, out, errs io.Writer) int {
	bench := &work.Workbench{Drivers: Formats()}
	return run.Serve(in, out, errs, func(ctx context.Context, job run.Job, files []*os.File, p genesis.Progress) (any, error) {
		driver, err := file.Open((&Home{Path: path}).Blobs())
		if err != nil {
			return nil, err
		}
		bench.Blobs = blob.Open(driver)
		outcome, err := bench.Compute(ctx, job, files, p)
		if closeErr := bench.Blobs.Close(); err == nil {
			err = closeErr
		}
		return outcome, err
	})
}

// worker is the command of a child of this process, or nil where this process is
// not genesis itself, as in tests: then runs compute in this process.
func worker(home string) []string {
	if os.Getenv(workerEnv) == "none" {
		return nil
	}
	self, err := os.Executable()
	if err != nil || !isGenesis(self) {
		return nil
	}
	return []string{self, "worker", home}
}

// workerEnv set to "none" keeps runs in the process of the node, where memory is
// not enforced.
const workerEnv = "GENESIS_WORKER"

// isGenesis reports whether a program has the command worker.
func isGenesis(path string) bool {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	return !strings.HasSuffix(name, ".test")
}
