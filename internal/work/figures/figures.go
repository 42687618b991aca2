// Package figures makes the report of a quarter from the entries of an audit log.
//
// A [Maker] is shown every entry of the log once, in the order of the log, and keeps what
// its figures need: memory grows with the versions, people and requests that there are,
// and not with the entries. Nothing else is asked: no table of the node, and no clock but
// the entries' own, so that the same log gives the same report.
//
// An act in which two nodes take part is counted by one of them, so that reports of several
// can be added up: a request, what was decided and a grant by the node of the data, a
// project by that of its lead, a prediction by that where it was made.
//
// # Who is counted, and what is told of it
//
// People are pseudonyms here; nothing knows their names. A figure that counts people, or
// cases of single people, says "fewer than 5" in place of one to four, and nothing that is
// told of people can be subtracted from something else to leave one to four: small groups
// are put together, sectors are kept from telling what is left of their institutions, and a
// number beside which groups stand may be told as the least that it is.
//
// What everybody in a federation may know to exist (tiers public and registered, and
// controlled where it is not hidden) is counted in groups and medians; everything else,
// drafts too, in sums alone. So what is hidden changes nothing of a report but sums.
//
// # Tracing
//
// Each figure keeps the numbers of the entries that it was counted from: the first
// hundred, how many there are, and a digest of all. From these entries alone the figure
// comes out the same. What it is compared with is the same figure in the report of the
// quarter before, which has its entries.
package figures

import (
	"crypto/sha256"
	"encoding/json"
	"hash"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// span is a stretch of time: from on, and before until.
type span struct{ from, until time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.until) }

// traced are the entries of a figure.
type traced struct {
	count int64
	first []int64
	last  int64
	hash  hash.Hash
}

// add takes an entry, once: entries come in order.
func (t *traced) add(seq int64) {
	if t.hash == nil {
		t.hash, t.last = sha256.New(), -1
	}
	if seq == t.last {
		return
	}
	t.last = seq
	t.count++
	if len(t.first) < genesis.MaxReportEntries {
		t.first = append(t.first, seq)
	}
	t.hash.Write(append(strconv.AppendInt(nil, seq, 10), '\n'))
}

func (t *traced) entries(queries []string) genesis.ReportEntries {
	digest := genesis.DigestOf(nil)
	if t.hash != nil {
		digest = genesis.DigestSum(t.hash.Sum(nil))
	}
	return genesis.ReportEntries{Count: t.count, Digest: digest, First: t.first, Queries: queries}
}

// Maker makes a report.
type Maker struct {
	now, before span // the quarter, as far as it has come, and the one before
	estate      estate
	opened      opened
	access      access
	people      people
	work        work
	models      models
	agreements  agreements
	oldest      map[string]time.Time // acts of which older logs have no entries: since when this one has
	most        int                  // cases of each sort that are followed at once
	left        int64                // entries of cases that are not
}

// New returns a Maker for a quarter, as far as it has come at a time. Errors: Invalid.
func New(q genesis.Quarter, at time.Time) (*Maker, error) {
	from, until, err := q.Span()
	if err != nil {
		return nil, err
	}
	if at = at.UTC(); !from.Before(at) {
		return nil, &genesis.Error{Op: "report", Kind: genesis.Invalid, Subject: string(q), Msg: "has not begun", Hint: "this is " + string(genesis.QuarterOf(at))}
	}
	if at.Before(until) {
		until = at
	}
	earlier, _, err := q.Before().Span()
	if err != nil {
		return nil, err
	}
	m := &Maker{now: span{from, until}, before: span{earlier, from}, oldest: map[string]time.Time{}, most: mostCases}
	m.estate.init()
	m.opened.init()
	m.access.init()
	m.people.init()
	m.work.init()
	m.models.init()
	m.agreements.init()
	return m, nil
}

// Wants reports whether the details of an act are needed.
func Wants(act string) bool {
	switch act {
	case "publish", "terms", "commit", "open", "request", "approve", "deny", "withdraw-request", "revoke", "project", "end-run", "read":
		return true
	}
	return false
}

// Add takes the next entry. What lies behind the quarter is of no report before, and what
// was asked of another node, or heard of it, is of the report of that node.
func (m *Maker) Add(e genesis.AuditEntry) {
	if !e.Time.Before(m.now.until) || strings.HasPrefix(e.Subject, "node ") {
		return
	}
	m.estate.add(e)
	m.opened.add(m, e)
	m.access.add(m, e)
	m.people.add(m, e)
	m.work.add(m, e)
	m.models.add(m, e)
	m.agreements.add(m, e)
	if _, seen := m.oldest[e.Act]; !seen && e.Act == "end-run" {
		m.oldest[e.Act] = e.Time
	}
}

// room reports whether one more case can be followed beside so many; the report says of
// how many that was not so.
func (m *Maker) room(cases int) bool {
	if cases < m.most {
		return true
	}
	m.left++
	return false
}

// which says of which quarter an entry is: 0 of this one, 1 of the one before, −1 of
// neither.
func (m *Maker) which(t time.Time) int {
	switch {
	case m.now.has(t):
		return 0
	case m.before.has(t):
		return 1
	}
	return -1
}

// both is a value for each of the two quarters.
type both[T any] [2]T

// detail reads the detail of an entry; one that was forgotten says nothing.
func detail[T any](e genesis.AuditEntry) (d T) {
	_ = json.Unmarshal(e.Detail, &d)
	return d
}

// used are the acts by which somebody is served: their allowed decisions.
func used(e genesis.AuditEntry) bool {
	if e.Outcome != genesis.Allowed {
		return false
	}
	switch genesis.Action(e.Act) {
	case genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate:
		return true
	}
	return false
}
