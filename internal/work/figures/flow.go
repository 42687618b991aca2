package figures

import (
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// mostCases bounds the cases of which a median is made, and what waits for its end.
const mostCases = 1 << 20

// durations are how long cases took.
type durations []time.Duration

// median is that of at least LeastPeople cases, in days.
func (d durations) median() genesis.Amount {
	switch {
	case len(d) == 0:
		return genesis.Amount{}
	case len(d) < genesis.LeastPeople:
		return genesis.Amount{Few: true}
	}
	sorted := slices.Sorted(slices.Values(d))
	mid := float64(sorted[len(sorted)/2])
	if len(sorted)%2 == 0 {
		mid = (mid + float64(sorted[len(sorted)/2-1])) / 2
	}
	return number(mid / float64(24*time.Hour))
}

// asked is a request that waits.
type asked struct {
	at  time.Time
	seq int64
}

// access is how requests for access go.
type access struct {
	waiting                map[string]asked
	made, approved, denied both[float64]
	took                   both[durations]
	madeBy                 traced
	approvedBy, deniedBy   traced
	pairs                  []int64 // entries of the median, of this quarter
}

func (a *access) init() { a.waiting = map[string]asked{} }

type requestDetail struct {
	Request   string         `json:"request"`
	Grant     string         `json:"grant"`
	Agreement genesis.Digest `json:"agreement"`
	Until     time.Time      `json:"until"`
}

func (a *access) add(m *Maker, e genesis.AuditEntry) {
	if e.Outcome != genesis.Done {
		return
	}
	q := m.which(e.Time)
	id := detail[requestDetail](e).Request
	switch e.Act {
	case "request":
		if id != "" && m.room(len(a.waiting)) {
			a.waiting[id] = asked{e.Time, e.Seq}
		}
		if q >= 0 {
			a.made[q]++
		}
		if q == 0 {
			a.madeBy.add(e.Seq)
		}
	case "approve":
		a.decide(m, e, q, id)
	case "deny":
		if q >= 0 {
			a.denied[q]++
		}
		if q == 0 {
			a.deniedBy.add(e.Seq)
		}
		fallthrough
	case "withdraw-request":
		delete(a.waiting, id)
	}
}

// decide counts an approval. The median is of what everybody may know of.
func (a *access) decide(m *Maker, e genesis.AuditEntry, q int, id string) {
	r, there := a.waiting[id]
	delete(a.waiting, id)
	if q < 0 {
		return
	}
	a.approved[q]++
	if there && m.estate.known(e) && m.room(len(a.took[q])) {
		a.took[q] = append(a.took[q], max(0, e.Time.Sub(r.at)))
		if q == 0 {
			a.pairs = append(a.pairs, r.seq, e.Seq)
		}
	}
	if q == 0 {
		a.approvedBy.add(e.Seq)
	}
}

// pairsTraced are entries that come in pairs, each once and in order.
func pairsTraced(pairs []int64) traced {
	var t traced
	for _, seq := range slices.Compact(slices.Sorted(slices.Values(pairs))) {
		t.add(seq)
	}
	return t
}

// question is somebody, and a dataset that they first came to.
type question struct {
	who   string
	asset string
}

// models are made, and used.
type models struct {
	first       map[question]asked // somebody's first recorded act on a dataset
	answered    map[question]bool
	made        both[float64]
	used        both[map[key]bool]
	predictions both[float64]
	took        both[durations]
	madeBy      traced
	usedBy      traced
	pairs       []int64
}

func (x *models) init() {
	x.first, x.answered = map[question]asked{}, map[question]bool{}
	x.used = both[map[key]bool]{{}, {}}
}

func (x *models) add(m *Maker, e genesis.AuditEntry) {
	q := m.which(e.Time)
	switch {
	case e.Act == "request" && e.Outcome == genesis.Done, used(e) && e.Act != string(genesis.Infer):
		x.came(m, question{e.Actor, e.Subject}, e)
	case used(e) && q >= 0:
		x.predictions[q]++
		x.used[q][key{e.Subject, e.Version}] = true
		if q == 0 {
			x.usedBy.add(e.Seq)
		}
	case e.Act == "commit" && e.Outcome == genesis.Done:
		x.commit(m, e, q)
	}
}

// came notes somebody's first act on a dataset.
func (x *models) came(m *Maker, who question, e genesis.AuditEntry) {
	if _, there := x.first[who]; !there && e.Actor != "" && m.room(len(x.first)) {
		x.first[who] = asked{e.Time, e.Seq}
	}
}

type commitDetail struct {
	Kind      genesis.Kind `json:"kind"`
	Unchanged bool         `json:"unchanged"`
	Copied    bool         `json:"copied"`
	Parents   []string     `json:"parents"`
}

// commit counts a model that was made, and for whom it is the first of a dataset, how long
// that took.
func (x *models) commit(m *Maker, e genesis.AuditEntry, q int) {
	d := detail[commitDetail](e)
	if d.Kind != genesis.Model || d.Unchanged || d.Copied {
		return
	}
	if q >= 0 {
		x.made[q]++
	}
	if q == 0 {
		x.madeBy.add(e.Seq)
	}
	for _, parent := range d.Parents {
		asset, v := m.estate.named(parent)
		who := question{e.Actor, asset}
		began, there := x.first[who]
		if !there || x.answered[who] {
			continue
		}
		x.answered[who] = true
		if q >= 0 && v.general(e.Time) && m.room(len(x.took[q])) {
			x.took[q] = append(x.took[q], max(0, e.Time.Sub(began.at)))
			if q == 0 {
				x.pairs = append(x.pairs, began.seq, e.Seq)
			}
		}
	}
}

// work is what runs took.
type work struct {
	seconds both[map[string]float64] // by kind
	runs    both[float64]
	traced
}

func (w *work) init() { w.seconds = both[map[string]float64]{{}, {}} }

func (w *work) add(m *Maker, e genesis.AuditEntry) {
	q := m.which(e.Time)
	if e.Act != "end-run" || q < 0 {
		return
	}
	d := detail[struct {
		Kind    string
		Seconds float64
	}](e)
	w.runs[q]++
	w.seconds[q][d.Kind] += max(0, d.Seconds)
	if q == 0 {
		w.traced.add(e.Seq)
	}
}

func sum(m map[string]float64) (all float64) {
	for _, v := range m {
		all += v
	}
	return all
}

// agreement is one that holds for a time.
type agreement struct {
	from, until time.Time // until zero: until it is taken back
	text        genesis.Digest
}

// held are the agreements on which grants and projects rest, as they stand at a time.
type held struct{ grants, projects map[string]*agreement }

// agreements are those at the end of each of the two quarters: what changes one later does
// not change what it was.
type agreements struct {
	both    both[held]
	granted traced
	agreed  traced
}

func (a *agreements) init() {
	for i := range a.both {
		a.both[i] = held{map[string]*agreement{}, map[string]*agreement{}}
	}
}

func (a *agreements) add(m *Maker, e genesis.AuditEntry) {
	if e.Outcome != genesis.Done {
		return
	}
	if e.Time.Before(m.now.from) {
		a.both[1].change(e)
	}
	if a.both[0].change(e) {
		if strings.HasSuffix(e.Act, "project") {
			a.agreed.add(e.Seq)
		} else {
			a.granted.add(e.Seq)
		}
	}
}

// change reports whether an entry changed what is held.
func (h held) change(e genesis.AuditEntry) bool {
	switch e.Act {
	case "approve":
		d := detail[requestDetail](e)
		if d.Agreement == "" || d.Grant == "" {
			return false
		}
		h.grants[d.Grant] = &agreement{e.Time, d.Until, d.Agreement}
		return true
	case "revoke":
		return h.grants[detail[requestDetail](e).Grant].end(e.Time)
	case "project":
		p := detail[genesis.Project](e)
		was := h.projects[e.Project]
		switch {
		case p.Agreement == "" && was == nil:
			return false
		case was == nil:
			was = &agreement{from: e.Time}
			h.projects[e.Project] = was
		}
		if was.until = p.Until; p.Agreement == "" || p.Ended {
			was.until = e.Time
		}
		return true
	case "end-project":
		return h.projects[e.Project].end(e.Time)
	}
	return false
}

// end ends what has not ended yet.
func (a *agreement) end(at time.Time) bool {
	if a == nil || !a.until.IsZero() && a.until.Before(at) {
		return false
	}
	a.until = at
	return true
}

// inForce counts what holds at a time, and upon how many texts.
func inForce(all map[string]*agreement, at time.Time) (n, texts float64) {
	seen := map[genesis.Digest]bool{}
	for _, a := range all {
		if a.from.Before(at) && (a.until.IsZero() || !a.until.Before(at)) {
			n++
			seen[a.text] = true
		}
	}
	return n, float64(len(seen))
}
