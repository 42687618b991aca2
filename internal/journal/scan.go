package journal

import (
	"context"
	"fmt"

	"github.com/opengenesis/genesis"
)

// Scanned is the state of the log up to which it was scanned.
type Scanned struct {
	Origin  string
	Point   genesis.AuditPoint // of the last epoch
	Entries int64              // in all epochs
}

// Scan shows all entries in the order of the log, bundle by bundle. Nobody is named in
// them: Actor is a pseudonym, and so is the owner that stands before the subject of what
// belongs to somebody ("PSEUDONYM/model"). Purposes are left out, and so are details but
// of the acts that wants names. Errors: Internal, naming the entry that is damaged; that
// of each; Canceled.
func (j *Journal) Scan(ctx context.Context, wants func(act string) bool, each func(genesis.AuditEntry) error) (Scanned, error) {
	last := j.audit.last()
	c, err := j.ownCheckpoint(last.log.Checkpoint())
	if err != nil {
		return Scanned{}, err
	}
	out := Scanned{Origin: c.Origin, Point: genesis.AuditPoint{Epoch: last.number, Size: c.Size, Root: c.Root.String()}, Entries: last.base + c.Size}
	for at := int64(0); at < out.Entries; {
		if ctx.Err() != nil {
			return out, &genesis.Error{Op: "read journal", Kind: genesis.Canceled, Err: ctx.Err()}
		}
		first, texts, err := j.audit.bundle(at)
		if err != nil {
			return out, err
		}
		texts = texts[at-first : min(int64(len(texts)), out.Entries-first)]
		if err := j.scan(ctx, at, texts, wants, each); err != nil {
			return out, err
		}
		at += int64(len(texts))
	}
	return out, nil
}

// scan shows some entries that stand together.
func (j *Journal) scan(ctx context.Context, at int64, texts [][]byte, wants func(act string) bool, each func(genesis.AuditEntry) error) error {
	all := make([]entry, len(texts))
	wanted := false
	for i, text := range texts {
		var err error
		if all[i], err = decode(text); err != nil {
			return badEntry(at+int64(i), err)
		}
		wanted = wanted || all[i].Private != "" && wants(all[i].Act)
	}
	var secrets map[int64]secret
	if wanted {
		var err error
		if secrets, err = j.private.bodies(ctx, "seq >= $1 AND seq < $2", at, at+int64(len(texts))); err != nil {
			return err
		}
	}
	for i := range all {
		e, seq := &all[i], at+int64(i)
		var text []byte
		if wants(e.Act) {
			s, there := secrets[seq]
			if why := s.check(e, there); why != "" {
				return &genesis.Error{Op: "read journal", Kind: genesis.Internal, Subject: fmt.Sprintf("entry %d", seq), Msg: why, Hint: "compare private.db with a backup of the home"}
			}
			text = s.body
		}
		shown, err := auditEntry(seq, e, e.Actor, "", j.node, text)
		if err != nil {
			return err
		}
		if shown.Purpose = ""; e.Owner != "" {
			shown.Subject = e.Owner + "/" + e.Subject
		}
		if err := each(shown); err != nil {
			return err
		}
	}
	return nil
}
