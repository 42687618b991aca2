package work

import (
	"context"
	"database/sql"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work/figures"
)

// Report is what the node did in a quarter, "" for this one, from its audit log alone. It
// names nobody and nothing, and is for whoever has a duty. That they asked is in the log
// before they see it.
func (s *Service) Report(ctx context.Context, who genesis.Principal, q genesis.Quarter, p genesis.Progress) (*genesis.Report, error) {
	switch _, err := s.decide(ctx, who, genesis.Operate, access.Resource{Part: access.Figures}); {
	case isRefusal(err):
		return nil, &genesis.Error{Op: "report", Kind: genesis.Permission, Subject: string(s.Node), Msg: "the report is for whoever has a duty at the node", Hint: "an operator gives the duty manager: genesis account set NAME --duties manager"}
	case err != nil:
		return nil, err
	}
	now := s.now().UTC()
	if q == "" {
		q = genesis.QuarterOf(now)
	}
	m, err := figures.New(q, now)
	if err != nil {
		return nil, err
	}
	if err := s.Journal.Settle(ctx); err != nil {
		return nil, err
	}
	log, err := s.Journal.Scan(ctx, figures.Wants, func(e genesis.AuditEntry) error {
		if e.Seq%1024 == 0 {
			p.Send(genesis.Event{Stage: "reading the log", Done: e.Seq, Unit: "entries"})
		}
		m.Add(e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := m.Report()
	r.Node, r.Quarter, r.Made = s.Node, q, now
	if own, ok := s.Charter.Member(s.Node); ok {
		r.Institution = own.Institution
	}
	_, end, _ := q.Span() // New has read it
	r.Complete = !now.Before(end)
	r.Log = genesis.ReportLog{Origin: log.Origin, Size: log.Point.Size, Root: log.Point.Root, Entries: log.Entries}
	return r, s.Journal.Append(ctx, s.reported(who, r))
}

// reported is the evidence that somebody was given a report.
func (s *Service) reported(who genesis.Principal, r *genesis.Report) journal.Event {
	p := access.Complete(s.Charter, who)
	return journal.Event{Actor: who.Person(), Act: "report", Outcome: genesis.Done, Subject: "node", Purpose: who.Purpose, Institution: p.Institution, Sector: p.Sector,
		Student: p.Student, Detail: detail(map[string]any{"quarter": r.Quarter, "log": r.Log})}
}

// runEnded makes the end of a run evidence: what it took is in the report.
func (s *Service) runEnded(ctx context.Context, tx *sql.Tx, r genesis.Run) error {
	p := access.Complete(s.Charter, r.By)
	took := 0.0
	if !r.Started.IsZero() {
		took = max(0, r.Ended.Sub(r.Started).Seconds())
	}
	return journal.Record(ctx, tx, journal.Event{Time: r.Ended, Actor: r.By.Person(), Act: "end-run", Outcome: genesis.Done, Subject: "run " + r.ID, Institution: p.Institution,
		Sector: p.Sector, Student: p.Student, Detail: detail(map[string]any{"kind": r.Kind, "state": r.State, "seconds": took, "tries": r.Tries})})
}
