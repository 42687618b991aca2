package figures

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
)

// script is a history, an entry a line.
type script struct{ all []genesis.AuditEntry }

// at is a time of 2026: "10-02" is noon of that day.
func at(day string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", "2026-"+day+" 12:00")
	if err != nil {
		panic(err)
	}
	return t
}

type fields map[string]any

// add adds an entry. Of an asset the version is the digest of "name/n".
func (s *script) add(day, who, act string, outcome genesis.Outcome, name string, n int, d fields, more ...func(*genesis.AuditEntry)) {
	e := genesis.AuditEntry{Seq: int64(len(s.all)), Time: at(day), Actor: who, Act: act, Outcome: outcome, Subject: name}
	if n > 0 {
		e.Version = versionOf(name, n)
	}
	if d != nil {
		e.Detail, _ = json.Marshal(d)
	}
	for _, change := range more {
		change(&e)
	}
	s.all = append(s.all, e)
}

func versionOf(name string, n int) genesis.Digest {
	return genesis.DigestOf(fmt.Appendf(nil, "%s/%d", name, n))
}

func from(institution string, sector genesis.Sector) func(*genesis.AuditEntry) {
	return func(e *genesis.AuditEntry) { e.Institution, e.Sector = institution, sector }
}

func student(e *genesis.AuditEntry) { e.Student = true }

// publish publishes a dataset under terms.
func (s *script) publish(day, name string, n int, tier genesis.Tier, hidden bool, field string, passed, failed int) {
	s.add(day, "sam", "publish", genesis.Done, name, n, fields{"number": n, "kind": "dataset", "rows": 10, "bytes": 1000, "field": field, "institution": "Ames", "readiness": fields{"passed": passed, "failed": failed}})
	s.add(day, "sam", "terms", genesis.Done, name, n, fields{"tier": tier, "hidden": hidden})
}

func (s *script) report(t *testing.T) *genesis.Report { return reportOf(t, s.all) }

func reportOf(t *testing.T, all []genesis.AuditEntry) *genesis.Report {
	t.Helper()
	m, err := New("2026Q4", time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	show(m, all)
	return m.Report()
}

// show shows a log as a node does: with the details that are wanted, and no others.
func show(m *Maker, all []genesis.AuditEntry) {
	for _, e := range all {
		if !Wants(e.Act) {
			e.Detail = nil
		}
		m.Add(e)
	}
}

// history is a quarter whose figures were worked out by hand, and what came before.
func history() *script {
	s := &script{}
	done, yes, no := genesis.Done, genesis.Allowed, genesis.Refused

	// The quarter before: three datasets, one of them hidden, one withdrawn.
	s.publish("07-10", "wind", 1, genesis.TierRegistered, false, "energy", 8, 2)
	s.publish("08-01", "spill", 1, genesis.TierControlled, true, "defense", 1, 1)
	s.publish("08-02", "old", 1, genesis.TierPublic, false, "energy", 5, 0)
	s.add("09-01", "mia", "request", done, "wind", 0, fields{"request": "r0"})
	s.add("09-05", "sam", "approve", done, "wind", 0, fields{"request": "r0", "grant": "g0", "agreement": "sha256:aa", "until": "2026-12-01T00:00:00Z"})
	s.add("09-20", "ada", "read", yes, "old", 1, nil, from("Ames", genesis.Laboratory))
	s.add("09-21", "ada", "end-run", done, "run 0", 0, fields{"kind": "prepare", "state": "done", "seconds": 50.0})
	s.add("09-25", "sam", "project", done, "project sun", 0, fields{"id": "sun", "agreement": "joint"}, func(e *genesis.AuditEntry) { e.Project = "sun" })

	// This one opens three versions, one of which is hidden, and widens one.
	s.add("10-01", "sam", "withdraw", done, "old", 1, fields{"reason": "r"})
	s.publish("10-02", "wind", 2, genesis.TierRegistered, false, "energy", 10, 0)
	s.publish("10-03", "tides", 1, genesis.TierControlled, false, "", 3, 1)
	s.publish("10-04", "secret", 1, genesis.TierRestricted, false, "defense", 2, 0)
	s.add("10-20", "sam", "terms", done, "tides", 1, fields{"tier": "controlled", "openings": []fields{{"at": "2026-11-01T00:00:00Z", "tier": "public"}}})
	s.add("11-01", "", "open", done, "tides", 1, fields{"at": "2026-11-01T00:00:00Z", "tier": "public"})

	// Seven requests: five approved after 1, 2, 3, 4 and 10 days, one denied, one waits; and
	// two for what is hidden, which are in no median.
	for i, days := range []int{1, 2, 3, 4, 10} {
		id := fmt.Sprint("q", i)
		who := fmt.Sprint("mia", i)
		s.add("10-10", who, "request", done, "tides", 0, fields{"request": id})
		d := fields{"request": id, "grant": "g" + id}
		if i == 0 {
			d["agreement"], d["until"] = "sha256:aa", "2027-12-01T00:00:00Z"
		}
		s.add(fmt.Sprintf("10-%02d", 10+days), "sam", "approve", done, "tides", 0, d)
	}
	s.add("10-11", "gil", "request", done, "wind", 0, fields{"request": "no"})
	s.add("10-12", "sam", "deny", done, "wind", 0, fields{"request": "no"})
	s.add("10-11", "gil", "request", done, "secret", 0, fields{"request": "hidden"})
	s.add("12-30", "sam", "approve", done, "secret", 0, fields{"request": "hidden", "grant": "gh", "agreement": "sha256:bb"})
	s.add("10-11", "gil", "request", done, "spill", 0, fields{"request": "hidden, too"})
	s.add("12-29", "sam", "approve", done, "spill", 0, fields{"request": "hidden, too", "grant": "gs"})
	s.add("12-30", "gil", "request", done, "wind", 0, fields{"request": "waits"})

	// Nine people are served: six of Iowa (two students), two of Ohio, one of Ames who read
	// what is hidden alone. Somebody who is refused is not.
	for i := range 6 {
		more := []func(*genesis.AuditEntry){from("Iowa", genesis.University)}
		if i < 2 {
			more = append(more, student)
		}
		s.add("11-05", fmt.Sprint("mia", i), "read", yes, "wind", 2, nil, more...)
	}
	s.add("11-05", "mia0", "read", done, "wind", 2, fields{"opening": "x", "reads": 3, "bytes": 700}, from("Iowa", genesis.University))
	s.add("11-06", "bo", "train", yes, "wind", 2, nil, from("Ohio", genesis.Industry))
	s.add("11-06", "cy", "evaluate", yes, "wind", 2, nil, from("Ohio", genesis.Industry))
	s.add("11-07", "eve", "read", yes, "secret", 1, nil, from("Ames", genesis.Laboratory))
	s.add("11-07", "pat", "read", no, "secret", 1, nil, from("Utah", genesis.Federal))
	s.add("11-08", "", "read", yes, "tides", 1, nil)

	// Seven models: five after 5, 5, 6, 7 and 9 days, one that is not the first of its maker
	// from that dataset, one from what nobody may know of. One is made once more, unchanged.
	for i, day := range []string{"11-10", "11-10", "11-11", "11-12"} {
		s.add(day, fmt.Sprint("mia", i+1), "commit", done, "~x/net", i+1, fields{"kind": "model", "parents": []string{"wind@" + string(versionOf("wind", 2))}})
	}
	s.add("11-15", "bo", "commit", done, "bo-net", 1, fields{"kind": "model", "parents": []string{"wind@" + string(versionOf("wind", 2))}})
	s.add("11-16", "bo", "commit", done, "bo-net", 1, fields{"kind": "model", "unchanged": true, "parents": []string{"wind@" + string(versionOf("wind", 2))}})
	s.add("11-16", "bo", "commit", done, "bo-other", 1, fields{"kind": "model", "parents": []string{"wind@" + string(versionOf("wind", 2))}})
	s.add("11-17", "eve", "commit", done, "eve-net", 1, fields{"kind": "model", "parents": []string{"secret@" + string(versionOf("secret", 1))}})
	s.add("11-18", "sam", "commit", done, "wind", 3, fields{"kind": "dataset"})
	s.add("11-20", "mia0", "infer", yes, "bo-net", 1, nil, from("Iowa", genesis.University))
	s.add("11-21", "mia1", "infer", yes, "bo-net", 1, nil, from("Iowa", genesis.University))

	s.add("11-22", "bo", "end-run", done, "run 1", 0, fields{"kind": "train", "state": "done", "seconds": 100.5})
	s.add("11-23", "bo", "end-run", done, "run 2", 0, fields{"kind": "train", "state": "failed", "seconds": 20.0})
	s.add("11-24", "bo", "end-run", done, "run 3", 0, fields{"kind": "prepare", "state": "done", "seconds": 30.0})
	s.add("12-01", "sam", "revoke", done, "tides", 0, fields{"grant": "gq1", "to": "person:x"})
	s.add("12-05", "sam", "project", done, "project moon", 0, fields{"id": "moon", "agreement": "joint"}, func(e *genesis.AuditEntry) { e.Project = "moon" })

	// What was asked of another node, and heard of it, is not of this one's report; nor was a
	// copy of a model made here.
	s.add("12-05", "mia0", "request", done, "node ornl", 0, fields{"request": "there", "ref": "ornl/x"})
	s.add("12-05", "ornl/eve", "approve", done, "node ornl", 0, fields{"request": "there", "grant": "gt", "agreement": "sha256:dd"})
	s.add("12-05", "ornl/eve", "deny", done, "node ornl", 0, fields{"request": "there, too"})
	s.add("12-05", "ornl/eve", "project", done, "node ornl", 0, fields{"project": "sea", "agreement": "joint"}, func(e *genesis.AuditEntry) { e.Project = "sea" })
	s.add("12-05", "mia0", "commit", done, "~mia0/copy", 1, fields{"kind": "model", "copied": true, "parents": []string{}})

	s.add("12-06", "sam", "end-project", done, "project sun", 0, nil, func(e *genesis.AuditEntry) { e.Project = "sun" })
	return s
}

// texts are the figures of a report: now, before, and groups.
func texts(r *genesis.Report) map[string]string {
	all := map[string]string{}
	for _, f := range r.Figures {
		all[f.ID] = text(f.Now) + " | " + text(f.Before)
		for _, g := range f.Groups {
			all[f.ID+" by "+g.By+" "+g.Name] = text(g.Now)
		}
	}
	return all
}

func text(a genesis.Amount) string {
	switch {
	case a.Few:
		return "few"
	case a.Value == nil:
		return "none"
	case a.AtLeast:
		return fmt.Sprint(*a.Value) + " or more"
	}
	return fmt.Sprint(*a.Value)
}

// TestFigures holds the report of a history against what was worked out by hand.
func TestFigures(t *testing.T) {
	want := map[string]string{
		"opened":                                 "3 | 3",
		"opened by kind dataset":                 "2",
		"opened by tier registered":              "1", // wind@2
		"opened by tier public":                  "1", // tides, since its opening
		"opened by field energy":                 "1",
		"opened by field not stated":             "1",
		"opened by challenge not stated":         "2",
		"opened by institution Ames":             "2",
		"opened-bytes":                           "3000 | 3000",
		"widened":                                "1 | 0",
		"datasets":                               "4 | 3", // wind, spill, tides, secret; before: wind, spill, old
		"ready":                                  "2 | 1", // wind@2, secret; before: old
		"checks":                                 fmt.Sprint(100.0*16/18) + " | " + fmt.Sprint(100.0*14/17),
		"requests":                               "9 | 1",
		"approved":                               "7 | 1",
		"denied":                                 "1 | 0",
		"time-to-access":                         "3 | few",
		"people":                                 "8 or more | few", // nine, less the eight in groups, would tell of one alone
		"people by institution others, together": "8",               // Iowa's six and Ohio's two: alone these would be few
		"people by sector others, together":      "8",
		"students":                               "few | 0",
		"institutions":                           "3 | 1",
		"uses":                                   "12 | 1",
		"bytes":                                  "700 | 0",
		"models-made":                            "7 | 0",
		"models-used":                            "1 | 0",
		"predictions":                            "2 | 0",
		"time-to-model":                          "6 | none",
		"compute":                                "150.5 | 50",
		"compute by kind train":                  "120.5",
		"compute by kind prepare":                "30",
		"runs":                                   "3 | 1",
		"agreements":                             "2 | 1", // gq0, gh; g0 ended on 1 December
		"agreement-texts":                        "2 | 1",
		"projects":                               "1 | 1",
	}
	r := history().report(t)
	if diff := cmp.Diff(want, texts(r)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	said := map[string]string{}
	for _, f := range r.Figures { // each text is read without those of the others
		if words := strings.Fields(f.What); len(words) < 6 || said[f.What] != "" || !strings.HasSuffix(f.What, ".") {
			t.Errorf("%s says %q, and %s too", f.ID, f.What, said[f.What])
		}
		said[f.What] = f.ID
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "2026-09-21") {
		t.Errorf("%q", r.Notes)
	}
}

// TestEveryFigureFollowsFromItsEntries: from the entries of a figure alone, with what they
// say of assets where it has groups or a median, it comes out the same.
func TestEveryFigureFollowsFromItsEntries(t *testing.T) {
	s := history()
	r := s.report(t)
	estate := []string{"publish", "terms", "withdraw", "erase"}
	for _, f := range r.Figures {
		if int64(len(f.Entries.First)) != f.Entries.Count || f.Entries.Count == 0 || len(f.Entries.Queries) == 0 || !slices.IsSorted(f.Entries.First) {
			t.Errorf("%s: %+v", f.ID, f.Entries)
		}
		about := strings.HasPrefix(f.ID, "time-") || f.ID == "people"
		some := slices.DeleteFunc(slices.Clone(s.all), func(e genesis.AuditEntry) bool {
			return !slices.Contains(f.Entries.First, e.Seq) && !(about && slices.Contains(estate, e.Act))
		})
		again := reportOf(t, some).Figures
		i := slices.IndexFunc(again, func(g genesis.Figure) bool { return g.ID == f.ID })
		if diff := cmp.Diff([]any{f.Now, f.Groups}, []any{again[i].Now, again[i].Groups}); diff != "" {
			t.Errorf("%s, from its entries alone:\n%s", f.ID, diff)
		}
		if f.Entries.Digest != again[i].Entries.Digest {
			t.Errorf("%s: its entries have another digest", f.ID)
		}
		for _, seq := range f.Entries.First { // and the queries list them
			act := s.all[seq].Act
			if !slices.ContainsFunc(f.Entries.Queries, func(q string) bool { return strings.Contains(q+" ", " --act "+act+" ") }) {
				t.Errorf("%s: no query lists entry %d, %s", f.ID, seq, act)
			}
		}
	}
}

// TestBeforeIsWhatWasReported: what a figure is compared with is the same figure in the
// report of the quarter before, whatever came after. So that report has its entries.
func TestBeforeIsWhatWasReported(t *testing.T) {
	s := history()
	s.add("09-01", "sam", "project", genesis.Done, "project sea", 0, fields{"id": "sea", "agreement": "joint", "until": "2026-09-15T00:00:00Z"}, func(e *genesis.AuditEntry) { e.Project = "sea" })
	s.add("09-02", "sam", "approve", genesis.Done, "wind", 0, fields{"grant": "short", "agreement": "sha256:cc", "until": "2026-09-15T00:00:00Z"})
	slices.SortStableFunc(s.all, func(a, b genesis.AuditEntry) int { return a.Time.Compare(b.Time) })
	s.add("12-30", "sam", "project", genesis.Done, "project sea", 0, fields{"id": "sea", "agreement": "joint", "until": "2027-09-15T00:00:00Z"}, func(e *genesis.AuditEntry) { e.Project = "sea" })
	s.add("12-30", "sam", "revoke", genesis.Done, "wind", 0, fields{"grant": "short"})
	now := s.report(t)
	m, err := New("2026Q3", time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	show(m, s.all)
	for i, f := range m.Report().Figures {
		if got := now.Figures[i]; got.ID != f.ID || text(got.Before) != text(f.Now) {
			t.Errorf("%s was %s, and is compared with as %s", f.ID, text(f.Now), text(got.Before))
		}
		if f.ID == "projects" && text(f.Now) != "1" || f.ID == "agreements" && text(f.Now) != "1" {
			t.Errorf("%s: %s", f.ID, text(f.Now))
		}
	}
}

// TestWhatWaitsIsBounded: requests that were answered make room for others, and what there
// is no room for is said to be left out.
func TestWhatWaitsIsBounded(t *testing.T) {
	for name, x := range map[string]struct {
		answer string
		left   bool
	}{"denied": {"deny", false}, "withdrawn": {"withdraw-request", false}, "approved": {"approve", false}, "still there": {"", true}} {
		s := &script{}
		for i := range 20 {
			id := fields{"request": fmt.Sprint("r", i)}
			if s.add("10-10", "mia", "request", genesis.Done, "wind", 0, id); x.answer != "" {
				s.add("10-11", "sam", x.answer, genesis.Done, "wind", 0, id)
			}
		}
		m, err := New("2026Q4", time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		m.most = 15
		show(m, s.all)
		notes := strings.Join(m.Report().Notes, " ")
		if got := strings.Contains(notes, "leave out 5 entries"); got != x.left || strings.Contains(notes, "leave out") != x.left {
			t.Errorf("%s: %q", name, notes)
		}
	}
}

// TestWhatIsHiddenChangesSumsAlone: two histories differ in what not everybody may know
// of. Of their reports nothing differs but sums.
func TestWhatIsHiddenChangesSumsAlone(t *testing.T) {
	with := history()
	without := &script{all: slices.DeleteFunc(slices.Clone(with.all), func(e genesis.AuditEntry) bool {
		return e.Subject == "secret" || e.Subject == "spill" || e.Subject == "eve-net"
	})}
	a, b := with.report(t), without.report(t)
	sums := []string{"opened", "opened-bytes", "datasets", "ready", "checks", "requests", "approved", "people", "institutions", "uses", "models-made", "agreements", "agreement-texts"}
	for i, f := range a.Figures {
		g := b.Figures[i]
		if !slices.Contains(sums, f.ID) && (cmp.Diff(f.Now, g.Now) != "" || cmp.Diff(f.Before, g.Before) != "") {
			t.Errorf("%s: %s | %s and %s | %s", f.ID, text(f.Now), text(f.Before), text(g.Now), text(g.Before))
		}
		f.Now, f.Before, f.Entries, g.Now, g.Before, g.Entries = genesis.Amount{}, genesis.Amount{}, genesis.ReportEntries{}, genesis.Amount{}, genesis.Amount{}, genesis.ReportEntries{}
		if diff := cmp.Diff(f, g); diff != "" {
			t.Errorf("beyond sums:\n%s", diff)
		}
	}
	if cmp.Diff(texts(a), texts(b)) == "" {
		t.Error("what is hidden is not in the sums")
	}
	names, _ := json.Marshal(a)
	for _, name := range []string{"secret", "spill", "defense", "wind", "tides", "mia", "bo-net", "eve", "moon"} {
		if strings.Contains(string(names), `"`+name) {
			t.Errorf("the report names %s", name)
		}
	}
}

// TestQuarters: what has not begun has no report, and what goes on has one so far.
func TestQuarters(t *testing.T) {
	now := at("11-15")
	for q, ok := range map[genesis.Quarter]bool{"2026Q4": true, "2026Q1": true, "2027Q1": false, "2026Q5": false, "26Q1": false, "": false, "2026q4": false} {
		m, err := New(q, now)
		if (err == nil) != ok || !ok && genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: %v", q, err)
		}
		if q == "2026Q4" && !m.now.until.Equal(now) {
			t.Error(m.now)
		}
	}
	if q := genesis.QuarterOf(time.Date(2026, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600))); q != "2027Q1" || q.Before() != "2026Q4" {
		t.Error(q)
	}
}
