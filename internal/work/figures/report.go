package figures

import (
	"fmt"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
)

// Parts of a report, in order.
const (
	partOpened     = "Opened"
	partEstate     = "Readiness of the estate"
	partAccess     = "Access"
	partServed     = "People and institutions served"
	partModels     = "Models"
	partCompute    = "Compute"
	partAgreements = "Agreements"
)

// Report is what was counted. The caller says whose it is and from which log.
func (m *Maker) Report() *genesis.Report {
	r := &genesis.Report{Format: genesis.ReportFormat, From: m.now.from, Until: m.now.until}
	r.Figures = slices.Concat(m.openedFigures(), m.estateFigures(), m.accessFigures(), m.servedFigures(), m.modelFigures(), m.computeFigures(), m.agreementFigures())
	since, some := m.oldest["end-run"]
	switch {
	case !some:
		r.Notes = append(r.Notes, "The log has no end of a run up to then: compute is not known.")
	case since.After(m.before.from):
		r.Notes = append(r.Notes, fmt.Sprintf("The log has ends of runs since %s: of the time before, compute is not known.", since.UTC().Format(time.DateOnly)))
	}
	if m.left > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Medians leave out %d entries: more than %d cases were open at once, and no more are followed.", m.left, m.most))
	}
	return r
}

// query is a command that lists the entries of an act in the quarter; before is true where
// those from before it count, too.
func (m *Maker) query(before bool, acts ...string) (all []string) {
	for _, act := range acts {
		q := "genesis audit query --act " + act
		if !before {
			q += " --since " + m.now.from.Format(time.DateOnly)
		}
		until := m.now.until.Format(time.RFC3339)
		if m.now.until.Equal(m.now.until.Truncate(24 * time.Hour)) {
			until = m.now.until.Format(time.DateOnly)
		}
		all = append(all, q+" --until "+until)
	}
	return all
}

func (m *Maker) openedFigures() []genesis.Figure {
	o := &m.opened
	end := m.now.until.Add(-1)
	return []genesis.Figure{{
		ID: "opened", Part: partOpened, Title: "versions published", Unit: "versions",
		What: "Datasets and models that were published in the quarter. Groups are of those that everybody in a federation may know of at its end: by the tier in force then, and by what their cards said when they were published.",
		Now:  number(float64(len(o.now[0]))), Before: number(float64(len(o.now[1]))), Groups: o.groups(end),
		Entries: o.published.entries(m.query(false, "publish", "terms")),
	}, {
		ID: "opened-bytes", Part: partOpened, Title: "bytes published", Unit: "bytes",
		What: "Bytes of the versions published in the quarter, as they are stored.",
		Now:  number(o.bytes[0]), Before: number(o.bytes[1]), Entries: o.published.entries(m.query(false, "publish", "terms")),
	}, {
		ID: "widened", Part: partOpened, Title: "openings that came due", Unit: "openings",
		What: "Versions that were opened more widely on a date that had been planned.",
		Now:  number(o.wider[0]), Before: number(o.wider[1]), Entries: o.widened.entries(m.query(false, "open")),
	}}
}

func (m *Maker) estateFigures() []genesis.Figure {
	now, before := m.estate.at(m.now.until), m.estate.at(m.now.from)
	entries := m.estate.entries(m.query(true, "publish", "withdraw", "erase"))
	return []genesis.Figure{{
		ID: "datasets", Part: partEstate, Title: "datasets", Unit: "datasets",
		What: "Datasets that have a published version at the end of the quarter.", Now: number(now.datasets), Before: number(before.datasets), Entries: entries,
	}, {
		ID: "ready", Part: partEstate, Title: "datasets that fail no check", Unit: "datasets",
		What: "Datasets with a published version at the end of the quarter of which a readiness check passed and none failed, as measured when the latest version was published.", Now: number(now.ready), Before: number(before.ready), Entries: entries,
	}, {
		ID: "checks", Part: partEstate, Title: "readiness checks passed", Unit: "percent",
		What: "Share of the readiness checks that passed, of all that passed or failed, over the datasets with a published version at the end of the quarter.", Now: percent(now.passed, now.asked), Before: percent(before.passed, before.asked), Entries: entries,
	}}
}

// percent is a share; of nothing there is none.
func percent(n, of float64) genesis.Amount {
	if of == 0 {
		return genesis.Amount{}
	}
	return number(100 * n / of)
}

func (m *Maker) accessFigures() []genesis.Figure {
	a := &m.access
	times := pairsTraced(a.pairs)
	return []genesis.Figure{{
		ID: "requests", Part: partAccess, Title: "requests for access", Unit: "requests",
		What: "Requests for access to what this node has that were made in the quarter.", Now: number(a.made[0]), Before: number(a.made[1]), Entries: a.madeBy.entries(m.query(false, "request")),
	}, {
		ID: "approved", Part: partAccess, Title: "requests approved", Unit: "requests",
		What: "Requests that were approved in the quarter, whenever they were made.", Now: number(a.approved[0]), Before: number(a.approved[1]), Entries: a.approvedBy.entries(m.query(false, "approve")),
	}, {
		ID: "denied", Part: partAccess, Title: "requests denied", Unit: "requests",
		What: "Requests that were denied in the quarter, whenever they were made.", Now: number(a.denied[0]), Before: number(a.denied[1]), Entries: a.deniedBy.entries(m.query(false, "deny")),
	}, {
		ID: "time-to-access", Part: partAccess, Title: "median time from request to access", Unit: "days",
		What: "Time from a request to its approval, of the requests approved in the quarter for what everybody in a federation may know of.",
		Now:  a.took[0].median(), Before: a.took[1].median(), Entries: times.entries(append(m.query(true, "request"), m.query(false, "approve")...)),
	}}
}

func (m *Maker) servedFigures() []genesis.Figure {
	now, before := &m.people.both[0], &m.people.both[1]
	entries := m.people.used.entries(m.query(false, "read", "train", "infer", "evaluate"))
	return []genesis.Figure{{
		ID: "people", Part: partServed, Title: "people", Unit: "people",
		What: "People who were allowed to read, train on, infer with or evaluate something in the quarter, each once. Groups are of those who did so with what everybody in a federation may know of; where fewer than 5 others would follow from their sum, that sum is told as the least that there were.",
		Now:  now.count(), Before: before.count(), Entries: entries, Groups: now.groups(),
	}, {
		ID: "students", Part: partServed, Title: "students among them", Unit: "people",
		What: "Students among the people served, as their home institutions say, in steps of 5 that are never more than there were.", Now: now.students(), Before: before.students(), Entries: entries,
	}, {
		ID: "institutions", Part: partServed, Title: "institutions", Unit: "institutions",
		What: "Institutions of the people served; those of guests by the charter of the federation.", Now: number(float64(len(now.institutions))), Before: number(float64(len(before.institutions))), Entries: entries,
	}, {
		ID: "uses", Part: partServed, Title: "uses", Unit: "uses",
		What: "Decisions that allowed somebody to read, train on, infer with or evaluate a version, those of people who had not signed in included. Many small reads of one version by one person within a minute are one; fetching what came of a prediction is none.",
		Now:  number(now.uses), Before: number(before.uses), Entries: entries,
	}, {
		ID: "bytes", Part: partServed, Title: "bytes delivered", Unit: "bytes",
		What: "Bytes that were delivered by reads of which the log has the amount.", Now: number(now.bytes), Before: number(before.bytes), Entries: m.people.delivered.entries(m.query(false, "read")),
	}}
}

func (m *Maker) modelFigures() []genesis.Figure {
	x := &m.models
	times := pairsTraced(x.pairs)
	return []genesis.Figure{{
		ID: "models-made", Part: partModels, Title: "models made", Unit: "models",
		What: "Versions of models that were trained here, or logged, in the quarter; copies of models of other nodes are none.", Now: number(x.made[0]), Before: number(x.made[1]), Entries: x.madeBy.entries(m.query(false, "commit")),
	}, {
		ID: "models-used", Part: partModels, Title: "models used", Unit: "models",
		What: "Versions of models with which somebody was allowed to infer in the quarter.", Now: number(float64(len(x.used[0]))), Before: number(float64(len(x.used[1]))), Entries: x.usedBy.entries(m.query(false, "infer")),
	}, {
		ID: "predictions", Part: partModels, Title: "uses of models", Unit: "uses",
		What: "Decisions that allowed somebody to infer with a model, one for each prediction that was asked for.", Now: number(x.predictions[0]), Before: number(x.predictions[1]), Entries: x.usedBy.entries(m.query(false, "infer")),
	}, {
		ID: "time-to-model", Part: partModels, Title: "median time from question to model", Unit: "days",
		What: "Time from somebody's first recorded act on a dataset, a request or an allowed use, to the first model that they made from it, of those made in the quarter from what everybody in a federation may know of.",
		Now:  x.took[0].median(), Before: x.took[1].median(), Entries: times.entries(append(m.query(true, "request", "read", "train", "evaluate"), m.query(false, "commit")...)),
	}}
}

func (m *Maker) computeFigures() []genesis.Figure {
	w := &m.work
	entries := w.entries(m.query(false, "end-run"))
	return []genesis.Figure{{
		ID: "compute", Part: partCompute, Title: "time that runs took", Unit: "seconds",
		What: "Time from start to end of the runs that ended in the quarter, whatever came of them.", Now: number(sum(w.seconds[0])), Before: number(sum(w.seconds[1])),
		Groups: grouped("kind", w.seconds[0]), Entries: entries,
	}, {
		ID: "runs", Part: partCompute, Title: "runs", Unit: "runs",
		What: "Runs that ended in the quarter, whatever came of them.", Now: number(w.runs[0]), Before: number(w.runs[1]), Entries: entries,
	}}
}

func (m *Maker) agreementFigures() []genesis.Figure {
	a := &m.agreements
	grants, texts := inForce(a.both[0].grants, m.now.until)
	grantsBefore, textsBefore := inForce(a.both[1].grants, m.now.from)
	projects, _ := inForce(a.both[0].projects, m.now.until)
	projectsBefore, _ := inForce(a.both[1].projects, m.now.from)
	granted := a.granted.entries(m.query(true, "approve", "revoke"))
	return []genesis.Figure{{
		ID: "agreements", Part: partAgreements, Title: "grants under an agreement", Unit: "grants",
		What: "Grants that answer a request with an accepted agreement, and hold at the end of the quarter.", Now: number(grants), Before: number(grantsBefore), Entries: granted,
	}, {
		ID: "agreement-texts", Part: partAgreements, Title: "texts of these agreements", Unit: "texts",
		What: "Different texts of the agreements on which grants rest that hold at the end of the quarter.", Now: number(texts), Before: number(textsBefore), Entries: granted,
	}, {
		ID: "projects", Part: partAgreements, Title: "projects with an agreement", Unit: "projects",
		What: "Projects with an agreement that are led from this node and go on at the end of the quarter.", Now: number(projects), Before: number(projectsBefore), Entries: a.agreed.entries(m.query(true, "project", "end-project")),
	}}
}
