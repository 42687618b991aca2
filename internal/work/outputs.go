package work

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/work/upload"
)

// outputs holds what models predicted for people of other nodes, who sent the rows: one
// file for each run, and not blobs, which are shared and stay until somebody sweeps. A
// file goes when it was fetched, when its run ends otherwise, and when its time is over.
type outputs struct {
	dir string
	now func() time.Time
}

// outputLife is how long an output waits to be fetched: what is due goes every
// [outputs.prune] later, and what was promised is [genesis.KeepSent].
const outputLife = genesis.KeepSent - 5*time.Minute

// openOutputs makes the folder, and removes what is due of it: a node that was down for
// long removes first.
func (s *Service) openOutputs(ctx context.Context, dir string) error {
	s.outputs = outputs{dir, s.now}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return outputError("open runs", dir, err)
	}
	_, err := s.outputs.prune(ctx)
	return err
}

// path is where the output of a run lies. Ids of runs are names of files everywhere.
func (o outputs) path(run string) string { return filepath.Join(o.dir, run) }

// open opens the newest output there is of some runs.
func (o outputs) open(runs []genesis.Run) (f *os.File, run string, err error) {
	for _, r := range runs {
		f, err := os.Open(o.path(r.ID))
		if err == nil {
			return f, r.ID, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, "", outputError("fetch output", r.ID, err)
		}
	}
	return nil, "", nil
}

func (o outputs) remove(run string) error {
	if err := os.Remove(o.path(run)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return outputError("remove output", run, err)
	}
	return nil
}

// prune removes the outputs whose time is over, and says how many.
func (o outputs) prune(ctx context.Context) (n int, err error) {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return 0, outputError("remove outputs", o.dir, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || o.now().Sub(info.ModTime()) < outputLife {
			continue // fetched meanwhile, or young
		}
		if err := errors.Join(ctx.Err(), o.remove(e.Name())); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func outputError(op, subject string, err error) error {
	return &genesis.Error{Op: op, Kind: genesis.Internal, Subject: subject, Msg: "the folder of predictions for other nodes' people cannot be used",
		Hint: "is there room on the disk, and may this user write there?", Err: err}
}

// predictAside runs a prediction into the file at path, which is whole or not there.
func predictAside(ctx context.Context, j *prediction, as, path string) (b genesis.Blob, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return b, outputError("predict", path, err)
	}
	hash := sha256.New()
	err = write(ctx, io.MultiWriter(f, hash), as, j.counted())
	info, failed := f.Stat()
	if err = errors.Join(err, failed, f.Close()); err != nil {
		_ = os.Remove(path)
		return b, err
	}
	return genesis.Blob{Digest: genesis.DigestSum(hash.Sum(nil)), Size: info.Size()}, nil
}

// fetched is an output that is removed when all of it was read from its beginning:
// whoever copies it asks for its end only when what came before has been taken.
type fetched struct {
	*os.File
	whole  bool
	remove func() error
}

func (f *fetched) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.whole = f.whole || err == io.EOF
	return n, err
}

// Close removes what was fetched. What cannot be removed now is when its time is over.
func (f *fetched) Close() error {
	err := f.File.Close()
	if f.whole {
		err = errors.Join(err, f.remove())
	}
	return err
}

// isSent reports whether a run is over rows that somebody of another node sent.
func (s *Service) isSent(r genesis.Run) bool {
	return r.Kind == genesis.RunPredict && r.At == "" && !s.home(r.By)
}

// dropSent removes the rows that were sent for a run that ended, and without a result
// what it may have put out. What a crash keeps here goes when its time is over.
func (s *Service) dropSent(r genesis.Run) {
	if !s.isSent(r) || !r.State.Ended() {
		return
	}
	err := s.dropUploads(r)
	if r.State != genesis.RunDone {
		err = errors.Join(err, s.outputs.remove(r.ID))
	}
	if err != nil {
		s.log().Error("rows that were sent cannot be removed yet", "run", r.ID, "error", err)
	}
}

func (s *Service) dropUploads(r genesis.Run) error {
	var q genesis.PredictRequest
	if err := json.Unmarshal(r.Request, &q); err != nil || s.Uploads == "" {
		return err
	}
	var ids []string
	for _, f := range q.Files {
		if id, ok := strings.CutPrefix(f.Token, genesis.UploadToken); ok {
			ids = append(ids, id)
		}
	}
	return upload.Drop(context.Background(), s.DB, s.Uploads, r.By.Person(), ids)
}

// PruneSent removes what was predicted for people of other nodes who did not fetch it.
func (s *Service) PruneSent(ctx context.Context) (int, error) { return s.outputs.prune(ctx) }

// ofTheModel are the findings that say how rows fit a model, in the model's words.
var ofTheModel = []string{"unit-assumed", "date-order-assumed", "name-taken"}

// ofTheNode are the kinds of refusals that speak of the node, and not of what a file holds.
var ofTheNode = []genesis.ErrorKind{genesis.Permission, genesis.Unavailable, genesis.Canceled, genesis.Conflict}

// keptOf is what is written down of how a run ended: whoever waits for it is told all,
// and the record of one over rows that were sent has nothing that may quote a cell. So
// names and spellings of their columns are not in it either: those of a file without a
// header are cells.
func (s *Service) keptOf(r genesis.Run) genesis.Run {
	if !s.isSent(r) {
		return r
	}
	if e := r.Error; e != nil && !slices.Contains(ofTheNode, e.Kind) {
		r.Error = &genesis.Problem{Type: e.Type, Title: e.Title, Status: e.Status, Kind: e.Kind, Message: "whoever waited for it was told more: what quotes rows that were sent is not kept"}
	}
	var p genesis.Predicted
	if r.Result == nil || json.Unmarshal(r.Result, &p) != nil {
		r.Result = nil
		return r
	}
	p.Columns = []genesis.Column{}
	p.Findings = slices.DeleteFunc(p.Findings, func(f genesis.Finding) bool { return !slices.Contains(ofTheModel, f.Code) })
	r.Result, _ = json.Marshal(p) // it was JSON before
	return r
}
