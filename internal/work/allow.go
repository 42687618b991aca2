package work

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest/compare"
	"github.com/opengenesis/genesis/internal/store"
)

// allowTraining decides whether who may train on a dataset version, and within
// which bounds, and pins both.
func (s *Service) allowTraining(ctx context.Context, who genesis.Principal, req genesis.TrainRequest, pin *pinned) error {
	if err := genesis.CheckName(req.Name); err != nil {
		return err
	}
	v, d, err := s.enter(ctx, who, genesis.TrainOn, req.Dataset)
	if err != nil {
		return err
	}
	if err := s.may(ctx, who, genesis.Steward, req.Name); err != nil {
		return err
	}
	if v.Kind != genesis.Dataset {
		return &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: req.Dataset, Msg: "is a model, not a dataset"}
	}
	pin.Version, pin.Train = v, &req
	if d.Reads {
		return nil
	}
	pin.Least = genesis.LeastGroup
	return s.allowUnread(ctx, who, v, pin)
}

// allowUnread bounds a training by somebody who may not read what it learns from.
func (s *Service) allowUnread(ctx context.Context, who genesis.Principal, v genesis.Version, pin *pinned) error {
	terms, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return err
	}
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil {
		return err
	}
	req, err := unread(&d, terms.Training, *pin.Train)
	if err != nil {
		return err
	}
	pin.Train = &req
	if err := s.differs(ctx, who, v, d.Versions); err != nil {
		return err
	}
	most := terms.Training.Runs
	if most == 0 {
		most = genesis.DefaultRuns
	}
	return s.DB.Tx(ctx, func(tx *sql.Tx) error { return spend(ctx, tx, who.Person(), v, most) })
}

// spend takes one of the trainings that a person may do on a version.
func spend(ctx context.Context, tx *sql.Tx, person genesis.PersonID, v genesis.Version, most int) error {
	var spent int
	_, err := tx.ExecContext(ctx, `INSERT INTO unread_trainings (person, name, version, spent) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING`,
		string(person), string(v.Name), string(v.Digest))
	if err == nil {
		err = tx.QueryRowContext(ctx, `UPDATE unread_trainings SET spent = spent + 1 WHERE person = $1 AND name = $2 AND version = $3 RETURNING spent`,
			string(person), string(v.Name), string(v.Digest)).Scan(&spent)
	}
	if err != nil {
		return store.Error("count training", string(v.Name), err)
	}
	if spent > most {
		return refuse(string(v.Name), "budget", fmt.Sprintf("you have trained on this version %d times, which is the most", most), "nothing more on this version; its steward may raise the number")
	}
	return nil
}

// differs refuses a version that differs in a few rows from one that who has trained
// on: the difference of two models would tell of those rows.
func (s *Service) differs(ctx context.Context, who genesis.Principal, v genesis.Version, all []genesis.Version) error {
	for _, other := range all {
		if other.Digest == v.Digest {
			continue
		}
		var spent int
		err := s.DB.Read().QueryRowContext(ctx, `SELECT count(*) FROM unread_trainings WHERE person = $1 AND name = $2 AND version = $3`,
			string(who.Person()), string(other.Name), string(other.Digest)).Scan(&spent)
		if err != nil {
			return store.Error("count training", string(v.Name), err)
		}
		if spent == 0 {
			continue
		}
		rows, err := s.rowsBetween(ctx, other, v)
		if err != nil {
			return err
		}
		if rows > 0 && rows < genesis.LeastGroup {
			return refuse(string(v.Name), "difference", fmt.Sprintf("it differs in fewer than %d rows from a version that you have trained on", genesis.LeastGroup), "the version you have trained on, or a later one that differs more")
		}
	}
	return nil
}

// rowsBetween counts the rows in which two versions of a dataset differ.
func (s *Service) rowsBetween(ctx context.Context, a, b genesis.Version) (int64, error) {
	var sides [2]compare.Side
	for i, v := range []genesis.Version{a, b} {
		d, err := s.Catalog.Describe(ctx, v, nil)
		if err != nil {
			return 0, err
		}
		l, err := s.Catalog.Layout(ctx, v)
		if err != nil {
			return 0, err
		}
		sides[i] = compare.Stored(s.Blobs, d, l)
	}
	diff, err := compare.Diff(ctx, compare.Env{Temp: s.Temp, Memory: s.Memory}, sides[0], sides[1])
	var n int64
	for _, t := range diff.Tables {
		n += t.Changed + max(t.Added, t.Removed)
	}
	return n, err
}

// isCheckpoint reports whether path, which a worker named, is a checkpoint in dir.
func isCheckpoint(dir, path string) bool {
	name := filepath.Base(path)
	return dir != "" && filepath.Join(dir, name) == path && strings.HasPrefix(name, "train-") && strings.HasSuffix(name, ".checkpoint")
}
