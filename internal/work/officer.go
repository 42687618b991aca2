package work

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Audit lists the audit log, to officers. That they looked, and for what, is in the
// log before they see it: once for a sequence of pages.
func (s *Service) Audit(ctx context.Context, who genesis.Principal, q genesis.AuditQuery) (*genesis.AuditPage, error) {
	if err := s.operates(ctx, who, access.Office); err != nil {
		return nil, err
	}
	if err := s.Journal.Settle(ctx); err != nil {
		return nil, err
	}
	if err := s.knownAct(ctx, q.Act); err != nil {
		return nil, err
	}
	q.Project = strings.TrimPrefix(q.Project, string(s.Node)+"/")
	page, err := s.Journal.Query(ctx, q)
	if err == nil && q.After == "" {
		err = s.Journal.Append(ctx, s.looked(who, q))
	}
	if err != nil {
		return nil, err
	}
	return &page, nil
}

// knownAct refuses a word that no entry can have: an empty answer to a slip of the
// pen looks like the proof that nothing happened.
func (s *Service) knownAct(ctx context.Context, act string) error {
	if act == "" || slices.Contains(genesis.Acts, act) || slices.Contains(genesis.Actions, genesis.Action(act)) {
		return nil
	}
	there, err := s.Journal.Names(ctx, act)
	if err != nil || there {
		return err
	}
	all := slices.Clone(genesis.Acts)
	for _, a := range genesis.Actions {
		all = append(all, string(a))
	}
	slices.Sort(all)
	return &genesis.Error{Op: "query audit log", Kind: genesis.Invalid, Subject: act, Msg: "is no act that the log knows",
		Hint: "acts are " + strings.Join(slices.Compact(all), ", ")}
}

// looked is the evidence that an officer searched the log, and for what. People are
// named in the detail, where they can be forgotten.
func (s *Service) looked(who genesis.Principal, q genesis.AuditQuery) journal.Event {
	p := access.Complete(s.Charter, who)
	return journal.Event{Actor: who.Person(), Act: "audit", Outcome: genesis.Done, Subject: "node " + string(access.Office), Detail: detail(q),
		Purpose: who.Purpose, Institution: p.Institution, Sector: p.Sector, Student: p.Student}
}

// AuditVerify recomputes the audit log, and then the logs of the catalogue, for officers.
// The answer is that of the audit log, or of the first log of the catalogue that does not
// hold.
func (s *Service) AuditVerify(ctx context.Context, who genesis.Principal, since time.Time, p genesis.Progress) (*genesis.AuditVerification, error) {
	if err := s.operates(ctx, who, access.Office); err != nil {
		return nil, err
	}
	if err := s.Journal.Settle(ctx); err != nil {
		return nil, err
	}
	audit, err := s.Journal.Verify(ctx, since, p)
	if err != nil || audit.Bad >= 0 {
		return pointed(audit, err)
	}
	stated, err := s.Journal.VerifyCatalogue(ctx, p)
	if err == nil && stated.Bad >= 0 {
		audit = stated
	}
	return pointed(audit, err)
}

// Forget destroys what tells whom entries of the log speak of.
func (s *Service) Forget(ctx context.Context, who genesis.Principal, person genesis.PersonID, reason string) error {
	if err := s.operates(ctx, who, access.Office); err != nil {
		return err
	}
	if err := genesis.CheckPerson(person); err != nil {
		return err
	}
	if err := s.mayForget(ctx, who, person); err != nil {
		return err
	}
	err := s.act(ctx, who, "forget", func(_ *sql.Tx, e *journal.Event) error {
		e.Subject, e.Detail = "a person", detail(map[string]string{"reason": reason})
		return nil
	})
	if err != nil {
		return err
	}
	return s.Journal.Forget(ctx, person)
}

// mayForget keeps those who can still act from becoming somebody who cannot be named:
// oneself, the home's owner, and whoever has a duty or can sign in.
func (s *Service) mayForget(ctx context.Context, who genesis.Principal, person genesis.PersonID) error {
	refuse := func(msg, hint string) error {
		return &genesis.Error{Op: "forget", Kind: genesis.Conflict, Subject: string(person), Msg: msg, Hint: hint}
	}
	node, subject := person.Split(s.Node)
	switch {
	case node == who.Node && subject == who.Subject:
		return refuse("nobody makes the log forget themselves", "ask another officer")
	case node != s.Node && node != "":
		return nil
	case subject == access.LocalSubject:
		return refuse("the owner of the home acts on", "")
	case s.Identity == nil:
		return nil
	}
	a, err := s.Identity.Account(ctx, subject)
	if err != nil {
		return skipMissing(err)
	}
	if len(a.Duties) > 0 || !a.Disabled {
		return refuse("their account can still act", "first `genesis account set "+subject+" --disabled --duties= --name= --email=`")
	}
	return nil
}

// grace is how long bytes that nothing refers to are kept after they were written:
// longer than any run that may still come to commit them, and than a prediction
// waits to be fetched.
const grace = 7 * 24 * time.Hour

// Sweep removes bytes that nothing refers to, and runs that are kept no longer.
func (s *Service) Sweep(ctx context.Context, who genesis.Principal, dryRun bool, p genesis.Progress) (*genesis.Sweep, error) {
	if err := s.operates(ctx, who, access.Machine); err != nil {
		return nil, err
	}
	swept, err := s.Blobs.Sweep(ctx, blob.SweepOptions{Live: s.live, Grace: grace, DryRun: dryRun, Progress: p})
	out := &genesis.Sweep{Blobs: swept.Removed, Bytes: swept.Bytes, Kept: swept.Live, Young: swept.Young, Grace: int64(grace.Seconds()), DryRun: dryRun}
	if err == nil && s.runs != nil {
		var pruned run.Pruned
		pruned, err = s.runs.Prune(ctx, dryRun)
		out.Runs, out.LogBytes = pruned.Runs, pruned.Bytes
	}
	if err != nil || dryRun {
		return out, err
	}
	return out, s.act(ctx, who, "gc", func(_ *sql.Tx, e *journal.Event) error {
		e.Subject, e.Detail = "node", detail(out)
		return nil
	})
}

// live yields every blob that something refers to.
func (s *Service) live(ctx context.Context, yield func(genesis.Digest) error) error {
	if err := s.Catalog.References(ctx, yield); err != nil {
		return err
	}
	return s.Access.Agreements(ctx, yield)
}
