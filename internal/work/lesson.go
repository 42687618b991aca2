package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest/compare"
	"github.com/opengenesis/genesis/internal/store"
)

// lesson is what somebody trains on without reading it: a table of a version, by the
// columns that are learnt from and predicted.
type lesson struct {
	name    genesis.Name
	version genesis.Digest
	table   string   // "": it was not remembered; any of them, with all its columns
	columns []string // by [compare.Comparable], ascending
	rows    int64
	sketch  *compare.Sketch // of these columns; nil: there is none, or by another key

	desc *genesis.Description // nil: not looked up
	by   learner              // who trains on it now
}

// id tells lessons apart.
func (l *lesson) id() string {
	return strings.Join(append([]string{string(l.name), string(l.version), l.table}, l.columns...), "\x00")
}

// maxReadings bounds how often a table is read to compare it, by one request to train:
// only by other columns than a sketch is of, and only tables of about as many rows.
const maxReadings = 40

// lesson is what a training comes to.
func (s *Service) lesson(ctx context.Context, by learner, d *genesis.Description, req genesis.TrainRequest) (*lesson, error) {
	t, _ := d.Manifest.Table(req.Table)
	now := &lesson{name: d.Version.Name, version: d.Version.Digest, table: t.Name, rows: t.Rows, desc: d, by: by,
		columns: comparables(t, slices.Concat(req.Features, req.Target))}
	var err error
	now.sketch, err = s.sketchOf(ctx, now, now.columns)
	return now, err
}

// comparables are the named columns of a table, as they are compared; nil names all.
func comparables(t genesis.ManifestTable, named []string) []string {
	var columns []string
	for _, c := range t.Columns {
		if named == nil || slices.Contains(named, c.Name) {
			columns = append(columns, compare.Comparable(c.Column))
		}
	}
	slices.Sort(columns)
	return columns
}

// sketchOf reads the table of a lesson by some of its columns.
func (s *Service) sketchOf(ctx context.Context, l *lesson, columns []string) (*compare.Sketch, error) {
	side, err := s.side(ctx, *l.desc)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		_, names[i], _ = strings.Cut(c, ":")
	}
	return compare.SketchOf(ctx, compare.Env{Temp: s.Temp, Memory: s.Memory}, side, l.table, names, s.Secret)
}

// spend takes one of the trainings that a learner may do on a version, unless the table
// differs in a few rows from another that they have trained on: the difference of two
// models would tell of those rows. What they train on meanwhile counts, too. What an order
// of another node asks for counts once.
func (s *Service) spend(ctx context.Context, now *lesson, most int, order string) error {
	compared := map[string]bool{}
	left := maxReadings
	for {
		var more []*lesson
		err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
			all, err := s.lessons(ctx, tx, now.by)
			more = slices.DeleteFunc(all, func(l *lesson) bool { return compared[l.id()] })
			if err != nil || len(more) > 0 {
				return err
			}
			return s.spendOne(ctx, tx, now, most, order)
		})
		if err != nil || len(more) == 0 {
			return err
		}
		for _, before := range more {
			if err := s.differs(ctx, before, now, &left); err != nil {
				return err
			}
			compared[before.id()] = true
		}
	}
}

// lessons are what a learner has trained on without reading it, of another node all of
// its people. Of trainings from before tables were remembered there is the version alone.
func (s *Service) lessons(ctx context.Context, tx *sql.Tx, by learner) ([]*lesson, error) {
	one, first, last := by.together()
	rows, err := tx.QueryContext(ctx, `SELECT v.name, v.version, coalesce(t.tab, ''), coalesce(t.columns, '[]'), coalesce(t.row_count, 0), coalesce(t.key_id, ''), coalesce(t.sketch, '')
		FROM unread_trainings v LEFT JOIN unread_tables t ON t.person = v.person AND t.name = v.name AND t.version = v.version
		WHERE v.person = $1 OR v.person >= $2 AND v.person < $3 ORDER BY v.name, v.version, t.tab, t.columns`, string(one), first, last)
	if err != nil {
		return nil, store.Error("count training", string(one), err)
	}
	defer rows.Close()
	var all []*lesson
	for rows.Next() {
		l := &lesson{}
		var columns, key, sketch string
		err := rows.Scan(&l.name, &l.version, &l.table, &columns, &l.rows, &key, &sketch)
		if err == nil {
			err = json.Unmarshal([]byte(columns), &l.columns)
		}
		if err != nil {
			return nil, store.Error("count training", string(one), err)
		}
		if key == s.keyID() {
			l.sketch, _ = compare.ParseSketch(sketch)
		}
		all = append(all, l)
	}
	return all, store.Error("count training", string(one), rows.Err())
}

// keyID names the key of sketches: those by another cannot be compared.
func (s *Service) keyID() string { return string(genesis.DigestOf(s.Secret)) }

func (s *Service) spendOne(ctx context.Context, tx *sql.Tx, now *lesson, most int, order string) error {
	if counted, err := countedTx(ctx, tx, order); err != nil || counted {
		return err
	}
	columns, err := json.Marshal(now.columns)
	if err != nil {
		return err
	}
	var spent int
	_, err = tx.ExecContext(ctx, `INSERT INTO unread_trainings (person, name, version, spent) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING`,
		string(now.by.id), string(now.name), string(now.version))
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO unread_tables (person, name, version, tab, columns, row_count, key_id, sketch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (person, name, version, tab, columns) DO UPDATE SET key_id = $7, sketch = $8`,
			string(now.by.id), string(now.name), string(now.version), now.table, string(columns), now.rows, s.keyID(), now.sketch.Text())
	}
	if err == nil {
		err = tx.QueryRowContext(ctx, `UPDATE unread_trainings SET spent = spent + 1 WHERE person = $1 AND name = $2 AND version = $3 RETURNING spent`,
			string(now.by.id), string(now.name), string(now.version)).Scan(&spent)
	}
	if err != nil {
		return store.Error("count training", string(now.name), err)
	}
	if spent > most {
		return refuse(string(now.name), "budget", fmt.Sprintf("%s trained on this version %d times, which is the most", now.by.spent(), most), "nothing more on this version; its steward may raise the number")
	}
	return nil
}

// countedTx reports whether the training that an order asks for was counted before: a
// crash between that and the run has the order decided again.
func countedTx(ctx context.Context, tx *sql.Tx, order string) (bool, error) {
	if order == "" {
		return false, nil
	}
	done, err := tx.ExecContext(ctx, "UPDATE run_orders SET spent = 1 WHERE run = $1 AND spent = 0", order)
	if err != nil {
		return false, store.Error("count training", order, err)
	}
	n, err := done.RowsAffected()
	return n == 0, err
}

// differs refuses to train on a table that differs in a few rows from one trained on
// before, whichever version, name or table it is of, by the columns that both trainings
// use. What cannot be compared any more, and may differ so, is refused, too.
func (s *Service) differs(ctx context.Context, before, now *lesson, left *int) error {
	if before.table == "" {
		return s.forgotten(ctx, before, now, left)
	}
	shared := common(before.columns, now.columns)
	few := max(before.rows-now.rows, now.rows-before.rows) < genesis.LeastGroup
	if before.version == now.version && before.table == now.table || !few || len(shared) == 0 {
		return nil
	}
	a, err := s.sketchBy(ctx, before, shared, left)
	if err != nil {
		return err
	}
	if a == nil {
		return tooClose(now, true)
	}
	b, err := s.sketchBy(ctx, now, shared, left)
	if err != nil {
		return err
	}
	if a.Few(b, genesis.LeastGroup) {
		return tooClose(now, false)
	}
	return nil
}

// tooClose is the refusal of a table that is too much like one trained on; may says that
// it cannot be known whether it is.
func tooClose(now *lesson, may bool) error {
	msg := fmt.Sprintf("it differs in fewer than %d rows from one that %s trained on", genesis.LeastGroup, now.by.have())
	if may {
		msg = fmt.Sprintf("it may differ in fewer than %d rows from one that %s trained on and that is no more", genesis.LeastGroup, now.by.have())
	}
	return refuse(string(now.name), "difference", msg, "the version that was trained on, or a later one that differs more")
}

// common are the columns that are in both of two ascending lists.
func common(a, b []string) []string {
	var out []string
	for _, c := range a {
		if _, ok := slices.BinarySearch(b, c); ok {
			out = append(out, c)
		}
	}
	return out
}

// sketchBy is the sketch of a lesson by some of its columns: the one that was kept,
// where it is of these, else of what can be read. Nil: there is nothing to read.
func (s *Service) sketchBy(ctx context.Context, l *lesson, columns []string, left *int) (*compare.Sketch, error) {
	if l.sketch != nil && len(columns) == len(l.columns) {
		return l.sketch, nil
	}
	if ok, err := s.look(ctx, l); !ok {
		return nil, err
	}
	if *left--; *left < 0 {
		return nil, refuse(string(l.name), "difference", fmt.Sprintf("there are too many tables of about as many rows, trained on before, to compare it with by other columns: at most %d are read", maxReadings),
			"the columns that were trained on before")
	}
	return s.sketchOf(ctx, l, columns)
}

// look looks up the version of a lesson, and reports whether it can be read.
func (s *Service) look(ctx context.Context, l *lesson) (bool, error) {
	if l.desc != nil {
		return true, nil
	}
	v, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: l.name, Digest: l.version}, nil)
	if err != nil || v.State == genesis.Erased {
		return false, skipMissing(err)
	}
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil {
		return false, err
	}
	l.desc = &d
	return true, nil
}

// forgotten compares with a training of which the version alone is known: with all
// its tables by all their columns. When it was erased, no other of its name will do.
func (s *Service) forgotten(ctx context.Context, before, now *lesson, left *int) error {
	ok, err := s.look(ctx, before)
	if err != nil {
		return err
	}
	if !ok && before.name == now.name {
		return tooClose(now, true)
	}
	if !ok {
		return nil
	}
	for _, t := range before.desc.Manifest.Tables {
		each := &lesson{name: before.name, version: before.version, table: t.Name, rows: t.Rows, columns: comparables(t, nil), desc: before.desc}
		if err := s.differs(ctx, each, now, left); err != nil {
			return err
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

// unsketch leaves nothing of the rows of a version. That it was trained on stays.
func unsketch(ctx context.Context, tx *sql.Tx, version genesis.Digest) error {
	_, err := tx.ExecContext(ctx, "UPDATE unread_tables SET sketch = '' WHERE version = $1", string(version))
	return store.Error("purge", string(version), err)
}
