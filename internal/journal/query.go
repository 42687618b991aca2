package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Query returns entries of the audit log, newest first. The index says which
// they are; what they say is read from the log, and checked. A page that follows
// another is not moved by entries that came meanwhile. Errors: Invalid (cursor);
// Internal, naming the entry that is damaged.
func (j *Journal) Query(ctx context.Context, q genesis.AuditQuery) (genesis.AuditPage, error) {
	page := genesis.AuditPage{Entries: []genesis.AuditEntry{}}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, 1000)
	where, args, some, err := j.condition(ctx, q)
	if err != nil || !some {
		return page, err
	}
	args = append(args, q.Limit+1)
	found, err := j.index.read(ctx, fmt.Sprintf("%s ORDER BY seq DESC LIMIT $%d", where, len(args)), args...)
	if err != nil {
		return page, err
	}
	if len(found) > q.Limit {
		found = found[:q.Limit]
		page.Next = formatCursor(found[q.Limit-1].seq)
	}
	page.Entries, err = j.show(ctx, found)
	return page, err
}

// condition turns a query into SQL. some is false when nothing can match:
// somebody is asked for who is not in the log.
func (j *Journal) condition(ctx context.Context, q genesis.AuditQuery) (where string, args []any, some bool, err error) {
	terms := []string{"seq >= 0"}
	and := func(term string, value any) {
		args = append(args, value)
		terms = append(terms, fmt.Sprintf(term, len(args)))
	}
	if q.After != "" {
		before, err := readCursor(q.After)
		if err != nil {
			return "", nil, false, err
		}
		and("seq < $%d", before)
	}
	if q.Actor != "" {
		alias, known, err := j.private.find(ctx, whole(q.Actor, j.node))
		if err != nil || !known {
			return "", nil, false, err
		}
		and("actor = $%d", alias)
	}
	if q.Subject != "" {
		who, rest := owner(q.Subject, j.node)
		alias, known, err := "", true, error(nil)
		if who != "" {
			alias, known, err = j.private.find(ctx, who)
		}
		if err != nil || !known {
			return "", nil, false, err
		}
		and("owner = $%d", alias)
		and("subject = $%d", rest)
		if who == "" && genesis.CheckSubject(rest) == nil { // of an asset, or of somebody of this node
			alias, known, err := j.private.find(ctx, whole(genesis.PersonID(rest), j.node))
			if err != nil {
				return "", nil, false, err
			}
			if known {
				n := len(args)
				args = append(args, alias)
				terms = append(terms[:len(terms)-2], fmt.Sprintf("(owner = $%d AND subject = $%d OR owner = $%d AND subject = '')", n-1, n, n+1))
			}
		}
	}
	if q.Act != "" {
		and("act = $%d", q.Act)
	}
	if q.Outcome == genesis.Refused {
		terms = append(terms, "outcome = 'refused'") // as the index has it
	} else if q.Outcome != "" {
		and("outcome = $%d", string(q.Outcome))
	}
	if q.Project != "" {
		and("project = $%d AND project <> ''", q.Project)
	}
	if !q.Since.IsZero() {
		and("at >= $%d", store.Time(q.Since))
	}
	if !q.Until.IsZero() {
		and("at < $%d", store.Time(q.Until))
	}
	return strings.Join(terms, " AND "), args, true, nil
}

// Names reports whether some entry names an act.
func (j *Journal) Names(ctx context.Context, act string) (bool, error) {
	some, err := j.index.read(ctx, "act = $1 LIMIT 1", act)
	return len(some) > 0, err
}

// A cursor is the number of the last entry of a page.
func formatCursor(seq int64) string { return "e" + strconv.FormatInt(seq, 10) }

func readCursor(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "e"), 10, 64)
	if err != nil || n < 0 || formatCursor(n) != s {
		return 0, &genesis.Error{Op: "query journal", Kind: genesis.Invalid, Subject: "after", Msg: "is not a cursor that a page ended with"}
	}
	return n, nil
}

// show reads entries that the index found.
func (j *Journal) show(ctx context.Context, found []columns) ([]genesis.AuditEntry, error) {
	all := make([]genesis.AuditEntry, 0, len(found))
	secrets := map[int64]secret{}
	for chunk := range slices.Chunk(found, 500) {
		args := make([]any, len(chunk))
		for i, c := range chunk {
			args[i] = c.seq
		}
		some, err := j.private.bodies(ctx, "seq IN ("+placeholders(1, len(chunk))+")", args...)
		if err != nil {
			return nil, err
		}
		for seq, s := range some {
			secrets[seq] = s
		}
	}
	r := reader{j: j, ctx: ctx, names: map[string]string{"": ""}}
	for _, c := range found {
		s, there := secrets[c.seq]
		e, err := r.read(c, s, there)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// reader turns entries into what an officer reads. It keeps the bundle it read
// last, and names.
type reader struct {
	j     *Journal
	ctx   context.Context
	first int64
	texts [][]byte
	names map[string]string
}

func (r *reader) text(seq int64) ([]byte, error) {
	if seq < r.first || seq >= r.first+int64(len(r.texts)) {
		var err error
		if r.first, r.texts, err = r.j.audit.bundle(seq); err != nil {
			return nil, err
		}
	}
	return r.texts[seq-r.first], nil
}

func (r *reader) name(alias string) (string, error) {
	if name, ok := r.names[alias]; ok {
		return name, nil
	}
	name, err := r.j.private.person(r.ctx, alias)
	r.names[alias] = name
	return name, err
}

// read reads one entry. What the index and the side store have of it must be
// what the log has.
func (r *reader) read(c columns, s secret, there bool) (genesis.AuditEntry, error) {
	damaged := func(msg, hint string) error {
		return &genesis.Error{Op: "query journal", Kind: genesis.Internal, Subject: fmt.Sprintf("entry %d", c.seq), Msg: msg, Hint: hint}
	}
	var out genesis.AuditEntry
	text, err := r.text(c.seq)
	if err != nil {
		return out, err
	}
	e, err := decode(text)
	if err != nil {
		return out, badEntry(c.seq, err)
	}
	if columnsOf(c.seq, &e) != c {
		return out, damaged("the index has something else of it than the log", remakeIndex)
	}
	if why := s.check(&e, there); why != "" {
		return out, damaged(why, "compare private.db with a backup of the home")
	}
	actor, err := r.name(e.Actor)
	if err != nil {
		return out, damaged("its people cannot be told: "+said(err), "compare private.db with a backup of the home")
	}
	who, err := r.name(e.Owner)
	if err != nil {
		return out, damaged("its people cannot be told: "+said(err), "compare private.db with a backup of the home")
	}
	return auditEntry(c.seq, &e, actor, who, r.j.node, s.body)
}

// said is what an error says, less what was done to what.
func said(err error) string {
	var known *genesis.Error
	if errors.As(err, &known) {
		return known.Msg
	}
	return err.Error()
}

// auditEntry puts an entry together.
func auditEntry(seq int64, e *entry, actor, who string, home genesis.NodeID, text []byte) (genesis.AuditEntry, error) {
	var b body
	if text != nil {
		if err := json.Unmarshal(text, &b); err != nil {
			return genesis.AuditEntry{}, badEntry(seq, err)
		}
	}
	out := genesis.AuditEntry{Seq: seq, ID: e.ID, Time: e.at(), Actor: actor, Act: e.Act, Outcome: e.Outcome, Subject: e.Subject,
		Version: e.Version, Rule: e.Rule, Purpose: b.Purpose, Institution: e.Institution, Sector: e.Sector, Project: e.Project,
		Student: e.Student, Challenge: e.Challenge, Detail: b.Detail}
	if who != "" {
		out.Subject = joinOwner(who, e.Subject, home)
	}
	if e.Epoch != nil {
		detail, err := json.Marshal(struct {
			Declares *declaration    `json:"declares"`
			Detail   json.RawMessage `json:"detail,omitempty"`
		}{e.Epoch, b.Detail})
		if err != nil {
			return out, badEntry(seq, err)
		}
		out.Detail = detail
	}
	return out, nil
}
