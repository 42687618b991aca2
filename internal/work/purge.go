package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work/run"
	"github.com/opengenesis/genesis/internal/work/upload"
)

// Purge erases a version and destroys the bytes that it alone needs, what the runs that
// made or used it came to, answers that are remembered, and uploads of its files. It may
// be stopped and asked for again.
func (s *Service) Purge(ctx context.Context, who genesis.Principal, ref, reason string, p genesis.Progress) (*genesis.Purge, error) {
	if err := s.operates(ctx, who, access.Office); err != nil {
		return nil, err
	}
	r, err := genesis.ParseRef(ref)
	if err != nil {
		return nil, err
	}
	if r.Node == s.Node {
		r.Node = ""
	}
	v, err := s.Catalog.Resolve(ctx, r, nil) // whoever keeps the office sees everything it may have to destroy
	if genesis.KindOf(err) == genesis.NotFound && r.Number == 0 && r.Digest == "" {
		v, err = s.Catalog.Last(ctx, r.Name, nil)
	}
	if err != nil {
		return nil, err
	}
	out := &genesis.Purge{Backups: true}
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil && v.State != genesis.Erased {
		return nil, err
	}
	out.Derived = d.UsedBy
	var cleared []run.Cleared
	err = s.act(ctx, who, "purge", func(tx *sql.Tx, e *journal.Event) error {
		e.Subject, e.Version, e.Detail = string(v.Name), v.Digest, detail(map[string]string{"reason": reason})
		if out.Version, err = s.Catalog.EraseTx(ctx, tx, v, catalog.EraseOptions{By: s.by(who), Reason: reason, Purge: true}); err != nil {
			return err
		}
		if cleared, err = s.clearTx(ctx, tx, v); err != nil {
			return err
		}
		return s.moved(ctx, tx, v.Name, v.Digest)
	})
	if err != nil {
		return nil, err
	}
	if err := s.Journal.Destroy(ctx, v.Name, v.Digest); err != nil { // what was stated of it, to anybody
		return nil, err
	}
	p.Send(genesis.Event{Stage: "purging", Unit: "blobs"})
	out.Runs = int64(len(cleared))
	if err := s.forgetStreams(v); err != nil {
		return nil, err
	}
	if err := s.clear(ctx, cleared); err != nil {
		return nil, err
	}
	if out.Uploads, err = s.clearUploads(ctx, d.Provenance); err != nil {
		return nil, err
	}
	purged, err := s.Catalog.Purge(ctx, s.Access.Agreements)
	out.Blobs, out.Bytes = int64(len(purged.Removed)), purged.Bytes
	for _, k := range purged.Kept {
		out.Shared = append(out.Shared, k.Digest)
	}
	slices.Sort(out.Shared)
	if err != nil {
		return nil, err
	}
	if err := s.unfind(ctx); err != nil {
		return nil, err
	}
	return out, s.DB.Scrub(ctx)
}

// clearTx removes what the database holds of the contents of a version beside the
// catalogue: what runs came to, sketches of rows, and every answer that is remembered for
// who asks twice, whatever it is about: they are of a day, and not all name a version.
func (s *Service) clearTx(ctx context.Context, tx *sql.Tx, v genesis.Version) (cleared []run.Cleared, err error) {
	if err := unsketch(ctx, tx, v.Digest); err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE idempotency SET body = NULL"); err != nil {
		return nil, store.Error("purge", string(v.Name), err)
	}
	if s.runs != nil {
		cleared, err = s.runs.ClearTx(ctx, tx, v)
	}
	return cleared, err
}

// forgetStreams removes the rows of a version that streams keep.
func (s *Service) forgetStreams(v genesis.Version) error {
	if s.Cache == nil {
		return nil
	}
	return s.Cache.Forget(v.Digest)
}

// clear removes the logs of runs, and the checkpoints of trainings that were stopped.
func (s *Service) clear(ctx context.Context, cleared []run.Cleared) error {
	if s.runs == nil {
		return nil
	}
	bench := &Workbench{Settings: s.settings()}
	for _, r := range cleared {
		if err := s.outputs.remove(r.ID); err != nil {
			return err
		}
		var p pinned
		if r.Kind != genesis.RunTrain || json.Unmarshal(r.Pinned, &p) != nil || p.Train == nil {
			continue
		}
		path := bench.checkpoint(trainTask{Request: *p.Train, Version: p.Version, Least: p.Least}).path
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &genesis.Error{Op: "purge", Kind: genesis.Internal, Subject: path, Msg: "cannot be removed", Err: err}
		}
	}
	return s.runs.RemoveLogs(cleared)
}

// clearUploads removes uploads of the files that a version was made from.
func (s *Service) clearUploads(ctx context.Context, p *genesis.Provenance) (int64, error) {
	if s.Uploads == "" || p == nil {
		return 0, nil
	}
	var digests []genesis.Digest
	for _, source := range p.Sources {
		digests = append(digests, source.Digest)
	}
	n, err := upload.Purge(ctx, s.DB, s.Uploads, digests)
	return int64(n), err
}
