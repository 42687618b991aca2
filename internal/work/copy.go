package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work/pull"
	"github.com/opengenesis/genesis/internal/work/run"
)

// commitPull makes a version of what was fetched: its records, what it owes, the evidence
// and the end of the run are one transaction.
func (s *Service) commitPull(ctx context.Context, r genesis.Run, p pinned, checked *genesis.Verification) (run.Act, error) {
	f, err := s.pulls.of(r.ID)
	if err != nil {
		return run.Act{}, err
	}
	if err := checkCopy(*p.Pull, checked); err != nil {
		s.forgetPull(context.WithoutCancel(ctx), r.By, p.Pull.Node)
		return run.Act{}, err
	}
	c := copying{s: s, r: r, f: f, at: s.now().UTC()}
	if err := c.look(ctx); err != nil {
		return run.Act{}, err
	}
	in, err := c.commit()
	if err != nil {
		return run.Act{}, err
	}
	staged, err := s.Catalog.Stage(ctx, in)
	if err != nil {
		return run.Act{}, err
	}
	context.AfterFunc(ctx, func() { _ = staged.Close() })
	return run.Act{Done: s.Access.Changed, Tx: func(ctx context.Context, tx *sql.Tx) (any, error) { return c.tx(ctx, tx, staged) }}, nil
}

// copying is one copy that is being committed.
type copying struct {
	s    *Service
	r    genesis.Run
	f    *pull.Fetched
	at   time.Time
	here *genesis.Version // of that name and content
	own  bool             // that one was made here, and is no copy
}

// look finds out whether the name has a version of just this content.
func (c *copying) look(ctx context.Context) error {
	v, err := c.s.Catalog.Resolve(ctx, genesis.Ref{Name: genesis.Name(c.r.Subject), Digest: c.f.Bundle.Version.Digest}, nil)
	if genesis.KindOf(err) == genesis.NotFound {
		return nil
	}
	if err != nil || v.State != genesis.Draft && v.State != genesis.Published {
		return err // that it may not come back, the catalogue says
	}
	from, err := c.s.copiedFrom(ctx, v)
	c.here, c.own = &v, from == nil
	return err
}

func (c *copying) bundle() *genesis.Bundle { return c.f.Bundle }

// copied says where the copy is from.
func (c *copying) copied() genesis.Copied {
	b := c.bundle()
	of := genesis.Copied{From: genesis.Ref{Node: b.Node, Name: b.Version.Name, Digest: b.Version.Digest}, Number: b.Version.Number, At: c.at, By: c.r.By.Person(), Tier: b.Owes[0].Terms.Tier}
	for _, o := range b.Owes {
		for _, l := range o.Leaves {
			if l.Grant != "" {
				of.Grants = append(of.Grants, l.Grant)
			}
			if !l.Until.IsZero() && (of.Until.IsZero() || l.Until.Before(of.Until)) {
				of.Until = l.Until
			}
		}
	}
	return of
}

// commit is what the catalogue is to keep. What a copy that is here says stays, but for
// where it is from; of a version that was made here all does.
func (c *copying) commit() (catalog.Commit, error) {
	b := c.bundle()
	in := catalog.Commit{Name: genesis.Name(c.r.Subject), Kind: b.Version.Kind, Manifest: c.f.Manifest, Layout: b.Layout, By: c.s.by(c.r.By), Bytes: b.Version.Bytes, Rows: b.Version.Rows}
	prov := c.provenance()
	switch {
	case c.own:
	case c.here != nil:
		in.Records = map[genesis.RecordKind]any{genesis.RecordProvenance: prov}
	default:
		in.Records = c.records(prov)
	}
	for kind, record := range in.Records {
		if err := c.holds(kind, record); err != nil {
			return in, err
		}
	}
	return in, nil
}

// provenance is that of the version, and where it was copied from.
func (c *copying) provenance() genesis.Provenance {
	var prov genesis.Provenance
	if p := c.bundle().Provenance; p != nil {
		prov = *p
	}
	for i := range prov.Parents {
		prov.Parents[i] = c.abroad(prov.Parents[i])
	}
	prov.By = c.person(prov.By)
	of := c.copied()
	prov.Copied = &of
	return prov
}

// records are all that is said of the version, with the names of people and versions as
// they are called from here.
func (c *copying) records(prov genesis.Provenance) map[genesis.RecordKind]any {
	b := c.bundle()
	all := map[genesis.RecordKind]any{genesis.RecordCard: b.Card, genesis.RecordProvenance: prov}
	if b.Recipe != "" {
		all[genesis.RecordRecipe] = b.Recipe
	}
	if b.Profile != nil {
		all[genesis.RecordProfile] = *b.Profile
	}
	if b.Readiness != nil {
		all[genesis.RecordReadiness] = *b.Readiness
	}
	if b.Splits != nil {
		all[genesis.RecordSplits] = b.Splits
	}
	if b.Findings != nil {
		for i := range b.Findings {
			b.Findings[i].By = c.person(b.Findings[i].By)
		}
		all[genesis.RecordFindings] = b.Findings
	}
	if b.Report != nil {
		b.Report.Dataset = c.abroad(b.Report.Dataset)
		if l := b.Report.Logged; l != nil {
			for i := range l.Inputs {
				l.Inputs[i].Ref = c.abroad(l.Inputs[i].Ref)
			}
		}
		all[genesis.RecordReport] = *b.Report
	}
	return all
}

// abroad names a version of the other node from here.
func (c *copying) abroad(r genesis.Ref) genesis.Ref {
	if r.Name != "" && r.Node == "" {
		r.Node = c.bundle().Node
	}
	return r
}

// person names somebody of the other node from here.
func (c *copying) person(p string) string {
	if p == "" || strings.Contains(p, "/") {
		return p
	}
	return string(genesis.PersonOf(c.bundle().Node, p))
}

// holds refuses a record that names blobs which did not come with the version: they would
// become its, though they may be somebody else's.
func (c *copying) holds(kind genesis.RecordKind, record any) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	named, err := catalog.BlobsIn(text)
	if err != nil {
		return err
	}
	for _, d := range named {
		if !c.f.Blobs[d] {
			return &genesis.Error{Op: "pull", Kind: genesis.Invalid, Subject: string(c.bundle().Node) + "/" + string(c.bundle().Version.Name),
				Msg: "its " + string(kind) + " names " + string(d) + ", which its bundle does not list", Hint: "nothing was kept; tell the operator of " + string(c.bundle().Node)}
		}
	}
	return nil
}

// tx makes the version true.
func (c *copying) tx(ctx context.Context, tx *sql.Tx, staged *catalog.Staged) (any, error) {
	b, s := c.bundle(), c.s
	out := genesis.Pulled{Copied: c.copied(), Moved: c.f.Moved, Owes: b.Owes}
	var err error
	if c.own { // it owes nothing: it was not made of theirs
		out.Version, out.Unchanged, out.Owes = *c.here, true, []genesis.Owed{}
	} else {
		if out.Version, out.Unchanged, err = s.Catalog.CommitTx(ctx, tx, staged); err != nil {
			return nil, err
		}
		if err = c.standing(ctx, tx); err != nil {
			return nil, err
		}
		if err = s.Access.Carry(ctx, tx, access.Copy{Child: resource(out.Version), Node: b.Node, By: c.r.By.Person(), Owes: b.Owes}); err != nil {
			return nil, err
		}
		if err = s.moved(ctx, tx, out.Version.Name, out.Version.Digest); err != nil {
			return nil, err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM pulled_blobs WHERE person = $1 AND node = $2", string(c.r.By.Person()), string(b.Node))
	if err != nil {
		return nil, store.Error("pull", c.r.Subject, err)
	}
	p := access.Complete(s.Charter, c.r.By)
	e := journal.Event{Actor: c.r.By.Person(), Act: "pull", Outcome: genesis.Done, Subject: string(out.Version.Name), Version: out.Version.Digest, Purpose: c.r.By.Purpose,
		Institution: p.Institution, Sector: p.Sector, Student: p.Student,
		Detail: detail(map[string]any{"pull": b.ID, "from": out.Copied.From.String(), "number": out.Copied.Number, "bytes": b.Bytes, "moved": out.Moved, "tier": out.Copied.Tier, "grants": out.Copied.Grants, "unchanged": out.Unchanged})}
	return out, journal.Record(ctx, tx, e)
}

// standing refuses a copy by a grant that its node took back meanwhile, or to a project that
// the person is not in any more: that was said when there was no copy yet that it could end.
// A leave lasts no longer than its project.
func (c *copying) standing(ctx context.Context, tx *sql.Tx) error {
	for _, id := range grantsOf(c.bundle().Owes) {
		gone, err := c.s.abroad.Revoked(ctx, tx, c.bundle().Node, id)
		if err != nil {
			return err
		}
		if gone {
			return c.fallen("a grant by which it was copied was taken back meanwhile")
		}
	}
	for _, o := range c.bundle().Owes {
		for i := range o.Leaves {
			if err := c.within(ctx, tx, &o.Leaves[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// within bounds a leave by the project that it hangs on.
func (c *copying) within(ctx context.Context, tx *sql.Tx, l *genesis.Leave) error {
	if l.Project == "" {
		return nil
	}
	p, err := c.s.projectTx(ctx, tx, l.Project)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return err
	}
	over := !p.Until.IsZero() && !c.s.now().Before(p.Until)
	if err != nil || p.Ended || over || !c.s.within(c.r.By, p) {
		return c.fallen("it was copied by a grant to project " + l.Project + ", which has ended or which you are not in any more")
	}
	if !p.Until.IsZero() && (l.Until.IsZero() || l.Until.After(p.Until)) {
		l.Until = p.Until
	}
	return nil
}

func (c *copying) fallen(msg string) error {
	return &genesis.Error{Op: "pull", Kind: genesis.Permission, Subject: string(c.bundle().Node) + "/" + string(c.bundle().Version.Name),
		Msg: msg, Hint: "copy it again, if another lets you"}
}

// projectTx is a project of this node or, as far as people of this one are in it, another.
func (s *Service) projectTx(ctx context.Context, tx *sql.Tx, id string) (genesis.Project, error) {
	id = s.ownProject(id)
	if home, inner, is := strings.Cut(id, "/"); is {
		return s.abroad.Project(ctx, tx, genesis.NodeID(home), inner)
	}
	return s.Access.ProjectTx(ctx, tx, id)
}

// EndLeaves ends what copies here owe to a grant that the node which made it took back, in
// the transaction that takes its message. What reads or computes by such a leave ends within
// a second of the commit, of which the caller tells access.
func (s *Service) EndLeaves(ctx context.Context, tx *sql.Tx, node genesis.NodeID, grant, reason string) error {
	ended, err := s.Access.EndLeaves(ctx, tx, node, grant, genesis.PersonOf(node, genesis.NodeSubject), reason)
	if err != nil {
		return err
	}
	return leavesEnded(ctx, tx, node, ended)
}

// bindLeaves has what copies here owe to grants to a project end with what its home, which
// may be this node, says of it.
func (s *Service) bindLeaves(ctx context.Context, tx *sql.Tx, home genesis.NodeID, p genesis.Project) error {
	ended, err := s.Access.BindLeaves(ctx, tx, p, genesis.PersonOf(home, genesis.NodeSubject))
	if err != nil {
		return err
	}
	return leavesEnded(ctx, tx, home, ended)
}

// leavesEnded records that leaves ended by the word of a node.
func leavesEnded(ctx context.Context, tx *sql.Tx, node genesis.NodeID, ended []genesis.Grant) error {
	for _, g := range ended {
		e := journal.Event{Act: "revoke", Outcome: genesis.Done, Subject: string(g.Name), Version: g.Version,
			Detail: detail(map[string]string{"grant": g.ID, "origin": g.Origin, "to": string(g.To), "node": string(node), "reason": g.Reason})}
		if err := journal.Record(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}
