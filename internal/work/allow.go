package work

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
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
	err = s.allowUnread(ctx, who, v, pin)
	var out *outOfBounds
	if errors.As(err, &out) { // the policies allowed it, so that is what the log says up to here
		e := event(d)
		e.Outcome, e.Rule = genesis.Refused, out.rule
		if err := s.Journal.Append(ctx, e); err != nil {
			return err
		}
	}
	return err
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
	pin.Train, pin.MinRows = &req, leastRows(terms.Training)
	return s.spend(ctx, who.Person(), &d, req.Table, cmp.Or(terms.Training.Runs, genesis.DefaultRuns))
}

// trained is a version that somebody has trained on without reading it.
type trained struct {
	name    genesis.Name
	version genesis.Digest
}

// spend takes one of the trainings that a person may do on a version, unless it
// differs in a few rows from another that they have trained on: the difference of
// two models would tell of those rows. What they train on meanwhile counts, too.
func (s *Service) spend(ctx context.Context, person genesis.PersonID, d *genesis.Description, table string, most int) error {
	compared := map[trained]bool{{d.Version.Name, d.Version.Digest}: true}
	for {
		var more []trained
		err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
			all, err := trainedOn(ctx, tx, person)
			more = slices.DeleteFunc(all, func(o trained) bool { return compared[o] })
			if err != nil || len(more) > 0 {
				return err
			}
			return spendOne(ctx, tx, person, d.Version, most)
		})
		if err != nil || len(more) == 0 {
			return err
		}
		for _, other := range more {
			if err := s.differs(ctx, other, d, table); err != nil {
				return err
			}
			compared[other] = true
		}
	}
}

func trainedOn(ctx context.Context, tx *sql.Tx, person genesis.PersonID) ([]trained, error) {
	rows, err := tx.QueryContext(ctx, "SELECT name, version FROM unread_trainings WHERE person = $1 ORDER BY name, version", string(person))
	if err != nil {
		return nil, store.Error("count training", string(person), err)
	}
	defer rows.Close()
	var all []trained
	for rows.Next() {
		var t trained
		if err := rows.Scan(&t.name, &t.version); err != nil {
			return nil, store.Error("count training", string(person), err)
		}
		all = append(all, t)
	}
	return all, store.Error("count training", string(person), rows.Err())
}

func spendOne(ctx context.Context, tx *sql.Tx, person genesis.PersonID, v genesis.Version, most int) error {
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

// differs refuses to train on a table that differs in a few rows from that of a
// version trained on before, of the same name or of a copy under another.
func (s *Service) differs(ctx context.Context, before trained, now *genesis.Description, table string) error {
	v, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: before.name, Digest: before.version}, nil)
	if err != nil || v.State == genesis.Erased {
		return skipMissing(err)
	}
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil {
		return err
	}
	if !comparable(&d, now, table) {
		return nil
	}
	from, err := s.side(ctx, d)
	if err != nil {
		return err
	}
	to, err := s.side(ctx, *now)
	if err != nil {
		return err
	}
	diff, err := compare.Diff(ctx, compare.Env{Temp: s.Temp, Memory: s.Memory}, from, to)
	if err != nil {
		return err
	}
	for _, t := range diff.Tables {
		if n := t.Changed + max(t.Added, t.Removed); t.Name == table && n > 0 && n < genesis.LeastGroup {
			return refuse(string(now.Version.Name), "difference", fmt.Sprintf("it differs in fewer than %d rows from a version that you have trained on", genesis.LeastGroup), "the version you have trained on, or a later one that differs more")
		}
	}
	return nil
}

// skipMissing leaves out what there is nothing any more to compare with.
func skipMissing(err error) error {
	if genesis.KindOf(err) == genesis.NotFound {
		return nil
	}
	return err
}

// comparable reports whether a table may differ from one of another version in a few
// rows: that has about as many, and is of the same name or has the same columns.
func comparable(from, to *genesis.Description, table string) bool {
	now, ok := to.Manifest.Table(table)
	if !ok {
		return false
	}
	names := columnSet(now)
	return slices.ContainsFunc(from.Manifest.Tables, func(t genesis.ManifestTable) bool {
		few := max(t.Rows-now.Rows, now.Rows-t.Rows) < genesis.LeastGroup
		return few && (from.Version.Name == to.Version.Name || slices.Equal(names, columnSet(t)))
	})
}

func columnSet(t genesis.ManifestTable) []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	slices.Sort(names)
	return names
}

// isCheckpoint reports whether path, which a worker named, is a checkpoint in dir.
func isCheckpoint(dir, path string) bool {
	name := filepath.Base(path)
	return dir != "" && filepath.Join(dir, name) == path && strings.HasPrefix(name, "train-") && strings.HasSuffix(name, ".checkpoint")
}
