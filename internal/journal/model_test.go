package journal

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

// modelLog is what the audit log should be: a list.
type modelLog []genesis.AuditEntry

func (m *modelLog) add(e Event, home genesis.NodeID) {
	for _, there := range *m {
		if there.ID == e.ID {
			return
		}
	}
	subject := e.Subject
	if who, rest := owner(e.Subject, home); who != "" {
		subject = joinOwner(string(who), rest, home)
	}
	*m = append(*m, genesis.AuditEntry{Seq: int64(len(*m)), ID: e.ID, Time: e.Time, Actor: string(whole(e.Actor, home)), Act: e.Act, Outcome: e.Outcome,
		Subject: subject, Version: e.Version, Purpose: e.Purpose, Project: e.Project, Detail: e.Detail})
}

// forget does what Forget does, by the words of its documentation.
func (m modelLog) forget(person string, subject string) {
	for i := range m {
		e := &m[i]
		mine := e.Actor == person || e.Subject == person || e.Subject == "~"+subject+"/model"
		if mine || hasWord(e.Detail, []byte(person)) || hasWord([]byte(e.Purpose), []byte(person)) {
			e.Purpose, e.Detail = "", nil
		}
		if e.Actor == person {
			e.Actor = Forgotten
		}
		if e.Subject == person {
			e.Subject = Forgotten
		}
		if e.Subject == "~"+subject+"/model" {
			e.Subject = "~" + Forgotten + "/model"
		}
	}
}

func (m modelLog) query(q genesis.AuditQuery) []genesis.AuditEntry {
	out := []genesis.AuditEntry{}
	for i := len(m) - 1; i >= 0 && len(out) < q.Limit; i-- {
		e := m[i]
		if (q.Actor == "" || e.Actor == string(q.Actor)) && (q.Subject == "" || e.Subject == q.Subject) && (q.Act == "" || e.Act == q.Act) &&
			(q.Outcome == "" || e.Outcome == q.Outcome) && (q.Project == "" || e.Project == q.Project) &&
			(q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || e.Time.Before(q.Until)) {
			out = append(out, e)
		}
	}
	return out
}

var (
	modelPeople   = []string{"nrel/ada", "nrel/bob", "mit/ada", ""}
	modelSubjects = []string{"turbines", "~ada/model", "~bob/model", "nrel/ada", "mit/ada", ""}
	modelActs     = []string{"read", "train", "grant"}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func randomEvent(r *rand.Rand, n int) Event {
	e := Event{ID: fmt.Sprintf("e%d", n-r.IntN(3)), Time: noon.Add(time.Duration(r.IntN(1000)) * time.Second), Actor: genesis.PersonID(pick(r, modelPeople)),
		Act: pick(r, modelActs), Outcome: pick(r, []genesis.Outcome{genesis.Allowed, genesis.Refused, genesis.Done}), Subject: pick(r, modelSubjects),
		Project: pick(r, []string{"wind", ""}), Purpose: pick(r, []string{"", "a study", "as nrel/bob asked"})}
	if r.IntN(2) == 0 {
		e.Detail = json.RawMessage(pick(r, []string{`{"to":"nrel/ada"}`, `{"n":1}`, `null`, `"mit/ada"`}))
	}
	return e
}

func randomQuery(r *rand.Rand) genesis.AuditQuery {
	q := genesis.AuditQuery{Limit: 1 + r.IntN(30)}
	if r.IntN(3) == 0 {
		q.Actor = genesis.PersonID(pick(r, modelPeople))
	}
	if r.IntN(3) == 0 {
		q.Subject = pick(r, modelSubjects)
	}
	if r.IntN(4) == 0 {
		q.Act = pick(r, modelActs)
	}
	if r.IntN(4) == 0 {
		q.Outcome = pick(r, []genesis.Outcome{genesis.Allowed, genesis.Refused})
	}
	if r.IntN(4) == 0 {
		q.Project = "wind"
	}
	if r.IntN(4) == 0 {
		q.Since = noon.Add(time.Duration(r.IntN(1000)) * time.Second)
	}
	if r.IntN(4) == 0 {
		q.Until = noon.Add(time.Duration(r.IntN(1000)) * time.Second)
	}
	return q
}

// TestAgreesWithModel does random things to a journal and to a list.
func TestAgreesWithModel(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := start(t, t.TempDir())
		var m modelLog
		for n := range 300 {
			switch op := r.IntN(40); {
			case op < 15:
				e := randomEvent(r, n)
				h.appended(e).settled()
				m.add(e, "nrel")
			case op < 30:
				e := randomEvent(r, n)
				h.recorded(e).settled()
				m.add(e, "nrel")
			case op == 30:
				h = h.again()
			case op == 31:
				forgetBoth(t, h, &m, pick(r, modelPeople[:3]))
			case op == 32:
				h = h.reindexed()
			default:
				q := randomQuery(r)
				if diff := cmp.Diff(m.query(q), h.query(q)); diff != "" {
					t.Fatalf("seed %d, step %d, %+v (-model +journal):\n%s", seed, n, q, diff)
				}
			}
		}
		h.holds(int64(len(m)))
		h.stop()
	}
}

// forgetBoth forgets somebody in both; the journal's own entry about it is taken
// over into the model.
func forgetBoth(t *testing.T, h *home, m *modelLog, person string) {
	t.Helper()
	if err := h.Forget(t.Context(), genesis.PersonID(person)); err != nil {
		t.Fatal(err)
	}
	latest := h.query(genesis.AuditQuery{Limit: 1})[0]
	if latest.Act != "forget" || latest.Subject != Forgotten || latest.Seq != int64(len(*m)) {
		t.Fatalf("forgetting leaves %+v", latest)
	}
	_, subject := genesis.PersonID(person).Split("nrel")
	if person == "mit/ada" {
		subject = "" // ~ada/model is of this node's ada
	}
	m.forget(person, subject)
	*m = append(*m, latest)
}
