package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/store"
)

// Verify computes the audit log anew from its entries and compares it with its
// tiles, its checkpoints and their signatures, the epochs with each other, and
// what is kept beside the log with what the log says of it. With since, entries
// from before that time are taken from their tiles. What it finds wrong is in
// the answer, with the first entry that does not hold; its error says why it
// could not look. Errors: Canceled, Unavailable.
func (j *Journal) Verify(ctx context.Context, since time.Time, p genesis.Progress) (genesis.AuditVerification, error) {
	v := verification{j: j, ctx: ctx, progress: p, epochs: j.audit.all(), indexed: j.index.size.Load()}
	v.size = v.epochs[len(v.epochs)-1].end()
	out := genesis.AuditVerification{Bad: -1}
	from, err := j.firstSince(ctx, since)
	if err != nil {
		return out, err
	}
	err = v.aliases()
	for i := 0; i < len(v.epochs) && err == nil; i++ {
		err = v.epoch(i, from, &out, v.entry)
	}
	return v.outcome(out, err)
}

// outcome puts what was found wrong into the answer.
func (v *verification) outcome(out genesis.AuditVerification, err error) (genesis.AuditVerification, error) {
	out.Checked = v.checked
	var broken *tile.Broken
	if errors.As(err, &broken) {
		out.Bad, out.Message = broken.Entry, fmt.Sprintf("entry %d: %s", broken.Entry, broken.Msg)
		return out, nil
	}
	return out, err
}

// VerifyCatalogue does for the logs of the catalogue what [Journal.Verify] does for the
// audit log, and compares the statements that are kept with their entries. The answer is
// that of the first log that does not hold, else that of what everybody may know of, with
// the entries of all.
func (j *Journal) VerifyCatalogue(ctx context.Context, p genesis.Progress) (genesis.AuditVerification, error) {
	var public genesis.AuditVerification
	var entries, checked int64
	for _, one := range j.catalogues.all() {
		out, err := j.verifyCatalogue(ctx, one, p)
		if err != nil || out.Bad >= 0 {
			return out, err
		}
		if one.log.name == cataloguePrefix+string(genesis.ClassPublic) {
			public = out
		}
		entries, checked = entries+out.Entries, checked+out.Checked
	}
	public.Entries, public.Checked = entries, checked
	return public, nil
}

func (j *Journal) verifyCatalogue(ctx context.Context, one *catalogue, p genesis.Progress) (genesis.AuditVerification, error) {
	out := genesis.AuditVerification{Bad: -1}
	v := verification{j: j, ctx: ctx, progress: p, epochs: one.log.all(), catalogue: one}
	v.size = v.epochs[len(v.epochs)-1].end()
	var err error
	for i := 0; i < len(v.epochs) && err == nil; i++ {
		err = v.epoch(i, 0, &out, v.statement)
	}
	return v.outcome(out, err)
}

// statement says what is wrong with an entry of a catalogue log beyond its hash, or "".
func (v *verification) statement(i int, seq int64, text []byte) (string, error) {
	e, err := decodeCatalogue(text)
	if err != nil {
		return err.Error(), nil
	}
	if msg := v.declared(i, seq, e.Epoch); msg != "" || e.Epoch != nil {
		return msg, nil
	}
	if seq < v.from || seq >= v.to {
		v.from, v.to = seq, seq+tile.Width
		v.progress.Send(genesis.Event{Stage: "verifying", Done: seq, Total: v.size, Unit: "entries"})
		all, err := v.catalogue.kept(v.ctx, v.from, tile.Width)
		if err != nil {
			return "", err
		}
		v.statements = map[int64]kept{}
		for _, k := range all {
			v.statements[k.Place] = k
		}
	}
	k, there := v.statements[seq]
	destroyed := there && len(k.Salt) == 0 && len(k.Text) == 0 && k.id == e.ID
	if !destroyed && CheckStatement(text, k.Witnessed) != nil {
		return "its statement is missing or is not the one it was written with", nil
	}
	return "", nil
}

// firstSince returns the number of the first entry that is not older.
func (j *Journal) firstSince(ctx context.Context, since time.Time) (int64, error) {
	if since.IsZero() {
		return 0, nil
	}
	return j.index.number(ctx, j.audit.size(), "SELECT min(seq) FROM entries WHERE at >= $1", store.Time(since))
}

// verification is one run of Verify.
type verification struct {
	j        *Journal
	ctx      context.Context
	progress genesis.Progress
	epochs   []epoch
	size     int64
	indexed  int64
	checked  int64

	known   map[string]bool // pseudonyms
	from    int64           // of the rows below, which are read by the bundle
	to      int64
	rows    map[int64]columns
	secrets map[int64]secret

	catalogue  *catalogue
	statements map[int64]kept
}

// aliases checks that the names kept for pseudonyms are those they were made
// from.
func (v *verification) aliases() error {
	rows, err := v.j.private.db.Read().QueryContext(v.ctx, "SELECT pseudonym, coalesce(person, ''), salt FROM people")
	if err != nil {
		return store.Error("verify journal", "", err)
	}
	defer rows.Close()
	v.known = map[string]bool{"": true}
	for rows.Next() {
		var alias, person string
		var salt []byte
		if err := rows.Scan(&alias, &person, &salt); err != nil {
			return store.Error("verify journal", "", err)
		}
		forgotten := person == "" && salt == nil
		v.known[alias] = forgotten || pseudonym(salt, genesis.PersonID(person)) == alias
	}
	return store.Error("verify journal", "", rows.Err())
}

// epoch verifies one epoch, from entry number from on.
func (v *verification) epoch(i int, from int64, out *genesis.AuditVerification, entry func(i int, seq int64, text []byte) (string, error)) error {
	e := v.epochs[i]
	done, err := e.log.Verify(v.ctx, from-e.base, func(n int64, text []byte) error {
		msg, err := entry(i, e.base+n, text)
		if err == nil && msg != "" {
			return &tile.Broken{Entry: n, Msg: msg}
		}
		return err
	})
	out.Origin, out.Size, out.Root = done.Checkpoint.Origin, done.Checkpoint.Size, done.Checkpoint.Root.String()
	out.Epochs, out.Entries = i+1, e.base+done.Checkpoint.Size
	v.checked += done.Checked
	var broken *tile.Broken
	if errors.As(err, &broken) {
		return &tile.Broken{Entry: e.base + broken.Entry, Msg: broken.Msg}
	}
	return err
}

// entry says what is wrong with one entry beyond its hash, or "".
func (v *verification) entry(i int, seq int64, text []byte) (string, error) {
	e, err := decode(text)
	if err != nil {
		return err.Error(), nil
	}
	if msg := v.declared(i, seq, e.Epoch); msg != "" {
		return msg, nil
	}
	if err := v.load(seq); err != nil {
		return "", err
	}
	if !v.known[e.Actor] || !v.known[e.Owner] {
		return "the name kept for one of its people is missing or damaged", nil
	}
	s, there := v.secrets[seq]
	if msg := s.check(&e, there); msg != "" {
		return msg, nil
	}
	if seq < v.indexed && v.rows[seq] != columnsOf(seq, &e) {
		return "the index has something else of it than the log: " + remakeIndex, nil
	}
	return "", nil
}

// declared checks that the first entry of an epoch speaks of the log before as it
// is, and no other entry of any.
func (v *verification) declared(i int, seq int64, d *declaration) string {
	first := i > 0 && seq == v.epochs[i].base
	switch {
	case !first && d == nil:
		return ""
	case !first:
		return "it speaks of a log before, and is not the first of an epoch"
	case d == nil:
		return "it does not say where the log before ended"
	}
	before := v.epochs[i-1].log
	if *d != (declaration{before.Origin(), before.Root().String(), before.Size()}) {
		return "the log before did not end as it says"
	}
	return ""
}

// load reads what is kept of an entry and those around it.
func (v *verification) load(seq int64) error {
	if seq >= v.from && seq < v.to {
		return nil
	}
	v.from, v.to = seq, seq+tile.Width // not up to v.size: the log may have grown since
	v.progress.Send(genesis.Event{Stage: "verifying", Done: seq, Total: max(v.size, seq), Unit: "entries"})
	rows, err := v.j.index.read(v.ctx, "seq >= $1 AND seq < $2", v.from, v.to)
	if err != nil {
		return err
	}
	v.rows = map[int64]columns{}
	for _, c := range rows {
		v.rows[c.seq] = c
	}
	v.secrets, err = v.j.private.bodies(v.ctx, "seq >= $1 AND seq < $2", v.from, v.to)
	return err
}
