package node

import (
	"context"
	"io"
	"os"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/work"
	"github.com/opengenesis/genesis/internal/work/run"
)

// workerCommand is the command of this program that is a worker.
const workerCommand = "worker"

// Worker computes one run for the node that started this process, and returns its
// exit status. Of the home it opens the blob store alone.
func Worker(in io.Reader, out, errs io.Writer) int {
	return run.Serve(in, out, errs, func(ctx context.Context, job run.Job, files []*os.File, p genesis.Progress) (any, error) {
		set, err := work.SettingsOf(job)
		if err != nil {
			return nil, err
		}
		driver, err := file.Open(set.Blobs)
		if err != nil {
			return nil, err
		}
		blobs := blob.Open(driver)
		defer blobs.Close()
		return work.Computing(blobs, Formats())(ctx, job, files, p)
	})
}
