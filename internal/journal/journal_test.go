package journal

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/store"
	"golang.org/x/mod/sumdb/note"
)

// home is a journal with the database beside it.
type home struct {
	*Journal
	t   testing.TB
	dir string
	cfg Config
}

// start opens a journal in a folder, on a disk that does not sync.
func start(t testing.TB, dir string, change ...func(*Config)) *home {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, dir: dir, cfg: Config{Dir: filepath.Join(dir, "journal"), Keys: filepath.Join(dir, "keys"), DB: db, Node: "nrel",
		Disk: &disk.Faulty{Disk: disk.OS, Lazy: true}, Interval: 20 * time.Millisecond}}
	for _, c := range change {
		c(&h.cfg)
	}
	t.Cleanup(h.stop)
	if h.Journal, err = Open(t.Context(), h.cfg); err != nil {
		t.Fatal(err)
	}
	return h
}

// stop closes the journal; it may be called twice.
func (h *home) stop() {
	if h.Journal != nil {
		h.Journal.Close()
	}
	h.cfg.DB.Close()
}

// again closes and opens the journal.
func (h *home) again() *home {
	h.t.Helper()
	h.stop()
	return start(h.t, h.dir)
}

// reindexed starts it without its index, as an operator does who is told that the index
// is not what the log is.
func (h *home) reindexed() *home {
	h.t.Helper()
	h.stop()
	if err := removeDatabase(filepath.Join(h.cfg.Dir, indexFile)); err != nil {
		h.t.Fatal(err)
	}
	return start(h.t, h.dir)
}

func (h *home) appended(events ...Event) *home {
	h.t.Helper()
	for _, e := range events {
		if err := h.Append(context.Background(), e); err != nil {
			h.t.Fatal(err)
		}
	}
	return h
}

func (h *home) recorded(events ...Event) *home {
	h.t.Helper()
	err := h.cfg.DB.Tx(context.Background(), func(tx *sql.Tx) error {
		for _, e := range events {
			if err := Record(context.Background(), tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return h
}

func (h *home) settled() *home {
	h.t.Helper()
	if err := h.Settle(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	return h
}

func (h *home) query(q genesis.AuditQuery) []genesis.AuditEntry {
	h.t.Helper()
	p, err := h.Query(context.Background(), q)
	if err != nil {
		h.t.Fatal(err)
	}
	return p.Entries
}

// holds wants the log to hold and to have that many entries.
func (h *home) holds(entries int64) {
	h.t.Helper()
	v, err := h.Verify(context.Background(), time.Time{}, nil)
	if err != nil || v.Bad != -1 || v.Checked != entries {
		h.t.Fatalf("verified %+v, %v, want %d entries", v, err, entries)
	}
}

// broken wants the log not to hold from an entry on.
func (h *home) broken(entry int64, part string) {
	h.t.Helper()
	v, err := h.Verify(context.Background(), time.Time{}, nil)
	if err != nil || v.Bad != entry || !strings.Contains(v.Message, part) {
		h.t.Errorf("verified %+v, %v, want entry %d named, for %q", v, err, entry, part)
	}
}

var noon = time.Date(2027, 1, 31, 12, 0, 0, 1000, time.UTC)

func read(who string, i int) Event {
	return Event{Time: noon.Add(time.Duration(i) * time.Second), Actor: genesis.PersonID(who), Act: "read", Outcome: genesis.Allowed,
		Subject: "turbines", Version: "sha256:00", Rule: "public", Purpose: "a study", Sector: genesis.University, Detail: json.RawMessage(fmt.Sprintf(`{"n": %d}`, i))}
}

func TestBothWaysIn(t *testing.T) {
	h := start(t, t.TempDir())
	full := Event{ID: "one", Time: noon, Actor: "ada", Act: "train", Outcome: genesis.Refused, Subject: "~bob/model", Version: "sha256:01",
		Rule: "needs a grant", Purpose: "wind \"study\"\n", Institution: "MIT", Sector: genesis.University, Project: "wind", Challenge: "c1",
		Student: true, Detail: json.RawMessage(`{"a":[1,2]}`)}
	h.appended(full).recorded(Event{Act: "open", Subject: "turbines"}).settled()
	want := []genesis.AuditEntry{
		{Seq: 1, Act: "open", Outcome: genesis.Done, Subject: "turbines"},
		{Seq: 0, ID: "one", Time: noon, Actor: "nrel/ada", Act: "train", Outcome: genesis.Refused, Subject: "~bob/model", Version: "sha256:01",
			Rule: "needs a grant", Purpose: "wind \"study\"\n", Institution: "MIT", Sector: genesis.University, Project: "wind", Challenge: "c1",
			Student: true, Detail: json.RawMessage(`{"a":[1,2]}`)},
	}
	got := h.query(genesis.AuditQuery{})
	if len(got) != 2 || time.Since(got[0].Time) > time.Minute || len(got[0].ID) != 26 {
		t.Fatalf("entries are %+v", got)
	}
	got[0].Time, got[0].ID = time.Time{}, ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	h.holds(2)
	if pending, err := Pending(t.Context(), h.cfg.DB); err != nil || len(pending) != 0 {
		t.Errorf("the outbox holds %v, %v", pending, err)
	}
	h = h.again()
	h.holds(2)
}

// TestReachesTheLogByItself waits without Settle.
func TestReachesTheLogByItself(t *testing.T) {
	h := start(t, t.TempDir())
	h.appended(read("ada", 1)).recorded(read("bob", 2))
	for until := time.Now().Add(10 * time.Second); len(h.query(genesis.AuditQuery{})) < 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the entries do not reach the log")
		}
	}
}

func TestOneIDOneEntry(t *testing.T) {
	h := start(t, t.TempDir())
	e := read("ada", 1)
	e.ID = "same"
	h.appended(e, e).recorded(e).settled().appended(e).settled().recorded(e).settled()
	h.holds(1)
	h = h.again().appended(e).settled()
	h.holds(1)
}

func TestRefusesEvents(t *testing.T) {
	h := start(t, t.TempDir())
	for name, change := range map[string]func(*Event){
		"no act":         func(e *Event) { e.Act = "" },
		"outcome":        func(e *Event) { e.Outcome = "perhaps" },
		"broken detail":  func(e *Event) { e.Detail = json.RawMessage(`{"a":`) },
		"long detail":    func(e *Event) { e.Detail = json.RawMessage(`"` + strings.Repeat("x", maxDetail) + `"`) },
		"long subject":   func(e *Event) { e.Subject = strings.Repeat("x", maxText+1) },
		"long purpose":   func(e *Event) { e.Purpose = strings.Repeat("x", maxPurpose+1) },
		"text not UTF-8": func(e *Event) { e.Subject = "\xff" },
		"detail no UTF8": func(e *Event) { e.Detail = json.RawMessage("\"\xff\"") },
		"time":           func(e *Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		e := read("ada", 0)
		change(&e)
		err1 := h.Append(t.Context(), e)
		err2 := h.cfg.DB.Tx(t.Context(), func(tx *sql.Tx) error { return Record(t.Context(), tx, e) })
		if genesis.KindOf(err1) != genesis.Invalid || genesis.KindOf(err2) != genesis.Invalid {
			t.Errorf("%s: errors are %v and %v, want kind invalid", name, err1, err2)
		}
	}
	h.settled().holds(0)
}

// TestLargestEntry fills every field with what takes most room when escaped.
func TestLargestEntry(t *testing.T) {
	h := start(t, t.TempDir())
	s := strings.Repeat("\x01", maxText)
	h.appended(Event{ID: s, Actor: genesis.PersonID(s), Act: s, Subject: s, Version: genesis.Digest(s), Rule: s, Purpose: strings.Repeat("\x01", maxPurpose),
		Institution: s, Sector: genesis.Sector(s), Project: s, Challenge: s, Student: true, Detail: json.RawMessage(`"` + strings.Repeat("x", maxDetail-2) + `"`)}).settled().holds(1)
	if got := h.query(genesis.AuditQuery{Project: s}); len(got) != 1 || got[0].Rule != s || len(got[0].Detail) != maxDetail {
		t.Error("the entry does not read back")
	}
}

func TestRecordGoesWithTheAct(t *testing.T) {
	h := start(t, t.TempDir())
	refusal := errors.New("no")
	err := h.cfg.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		if err := Record(t.Context(), tx, read("ada", 0)); err != nil {
			t.Fatal(err)
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("error is %v", err)
	}
	h.settled().holds(0)
}

// TestLogNamesNobody looks for names and texts in the bytes of the log and of
// the index.
func TestLogNamesNobody(t *testing.T) {
	h := start(t, t.TempDir())
	e := read("adalovelace", 1)
	e.Subject, e.Purpose, e.Detail = "~charlesbabbage/engine", "for lordbyron", json.RawMessage(`{"to":"marysomerville"}`)
	h.appended(e).recorded(Event{Act: "vet", Subject: "mit/augustademorgan"}).settled().stop()
	for _, name := range files(t, filepath.Join(h.dir, "journal")) {
		if filepath.Base(name) == "private.db" {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"lovelace", "babbage", "byron", "somerville", "demorgan"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s names %s", name, secret)
			}
		}
	}
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestForget(t *testing.T) {
	h := start(t, t.TempDir())
	grant := Event{Act: "grant", Actor: "steward", Subject: "turbines", Detail: json.RawMessage(`{"to":"person:nrel/ada"}`)}
	other := Event{Act: "grant", Actor: "steward", Subject: "turbines", Detail: json.RawMessage(`{"to":"person:nrel/ada-maria"}`)}
	vetted := Event{Act: "vet", Actor: "officer", Subject: "nrel/ada", Purpose: "good papers"}
	h.appended(read("ada", 1), read("bob", 2), grant, other, vetted, Event{Act: "commit", Actor: "mit/ada"})
	if err := h.Forget(t.Context(), "nrel/ada"); err != nil {
		t.Fatal(err)
	}
	h.appended(read("ada", 3)).settled() // she comes back, as somebody else
	h.holds(8)
	type seen struct{ Actor, Subject, Purpose, Detail string }
	var got []seen
	for _, e := range h.query(genesis.AuditQuery{}) {
		got = append(got, seen{e.Actor, e.Subject, e.Purpose, string(e.Detail)})
	}
	want := []seen{
		{"nrel/ada", "turbines", "a study", `{"n":3}`},
		{"", "(forgotten)", "", ""},
		{"mit/ada", "", "", ""},
		{"nrel/officer", "(forgotten)", "", ""},
		{"nrel/steward", "turbines", "", `{"to":"person:nrel/ada-maria"}`},
		{"nrel/steward", "turbines", "", ""},
		{"nrel/bob", "turbines", "a study", `{"n":2}`},
		{"(forgotten)", "turbines", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after forgetting (-want +got):\n%s", diff)
	}
	if got := h.query(genesis.AuditQuery{Actor: "nrel/ada"}); len(got) != 1 {
		t.Errorf("her entries from before are found: %v", got)
	}
	h.reindexed().holds(8)
}

// TestForgottenEverywhere looks for the name in every byte of the home.
func TestForgottenEverywhere(t *testing.T) {
	h := start(t, t.TempDir())
	for i := range 50 {
		e := read("adalovelace", i)
		e.Detail = json.RawMessage(`{"who":"adalovelace"}`)
		h.appended(e).recorded(Event{Act: "grant", Actor: "nrel/adalovelace", Subject: "~adalovelace/engine"})
	}
	if err := h.Forget(t.Context(), "adalovelace"); err != nil {
		t.Fatal(err)
	}
	if err := h.cfg.DB.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, h.dir) {
		if b, err := os.ReadFile(name); err != nil || bytes.Contains(b, []byte("adalovelace")) {
			t.Errorf("%s names her, %v", name, err)
		}
	}
	h.holds(101)
}

func TestEpochs(t *testing.T) {
	h := start(t, t.TempDir())
	h.appended(read("ada", 1), read("ada", 2)).settled()
	before, err := h.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.NewEpoch(t.Context(), "restored from a backup"); err != nil {
		t.Fatal(err)
	}
	h.appended(read("ada", 3)).settled()
	h = h.again()
	h.holds(4)
	got := h.query(genesis.AuditQuery{})
	lines := strings.Split(string(before), "\n")
	want := fmt.Sprintf(`{"declares":{"origin":"nrel/audit/1","root":%q,"size":2},"detail":{"reason":"restored from a backup"}}`, lines[2])
	if len(got) != 4 || got[1].Act != "epoch" || string(got[1].Detail) != want || got[0].Seq != 3 {
		t.Errorf("entries are %+v, want a declaration %s", got, want)
	}
	v, _ := h.Verify(t.Context(), time.Time{}, nil)
	if v.Origin != "nrel/audit/2" || v.Size != 2 || v.Epochs != 2 || v.Entries != 4 || v.Checked != 4 {
		t.Errorf("verified %+v", v)
	}
	verifier, err := note.NewVerifier(h.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	after, _ := h.Checkpoint(t.Context())
	if _, err := note.Open(after, note.VerifierList(verifier)); err != nil {
		t.Errorf("the checkpoint is not signed by the key that is told: %v", err)
	}
	h.stop()
	renamed := start(t, h.dir, func(c *Config) { c.Node = "nlr" })
	renamed.holds(5)
	if v, _ := renamed.Verify(t.Context(), time.Time{}, nil); v.Origin != "nlr/audit/3" {
		t.Errorf("a renamed node has the log %s", v.Origin)
	}
}

// TestFalseDeclaration begins epochs that do not say, or not rightly, where the
// log before ended.
func TestFalseDeclaration(t *testing.T) {
	for name, change := range map[string]func(*declaration) *declaration{
		"none":   func(*declaration) *declaration { return nil },
		"size":   func(d *declaration) *declaration { d.Size--; return d },
		"root":   func(d *declaration) *declaration { d.Root = "x"; return d },
		"origin": func(d *declaration) *declaration { d.Origin = "mit/audit/1"; return d },
	} {
		h := start(t, t.TempDir())
		h.appended(read("ada", 1), read("ada", 2)).settled()
		e := entryOf(Event{ID: "epoch", Act: "epoch", Outcome: genesis.Done, Time: noon})
		e.Epoch = change(h.audit.declare())
		if err := h.audit.begin(e.encode()); err != nil {
			t.Fatal(err)
		}
		h = h.again()
		if v, err := h.Verify(t.Context(), time.Time{}, nil); err != nil || v.Bad != 2 {
			t.Errorf("%s: verified %+v, %v", name, v, err)
		}
	}
	h := start(t, t.TempDir())
	e := entryOf(Event{ID: "epoch", Act: "epoch", Outcome: genesis.Done, Time: noon})
	e.Epoch = &declaration{"mit/audit/1", "x", 3}
	if err := h.audit.append(0, [][]byte{e.encode()}); err != nil {
		t.Fatal(err)
	}
	if v, err := h.again().Verify(t.Context(), time.Time{}, nil); err != nil || v.Bad != 0 {
		t.Errorf("a declaration in the first epoch: verified %+v, %v", v, err)
	}
}

func TestQuery(t *testing.T) {
	h := start(t, t.TempDir())
	for i := range 20 {
		e := read([]string{"ada", "bob", "mit/ada"}[i%3], i)
		e.Subject = []string{"turbines", "~ada/model"}[i%2]
		if i%5 == 0 {
			e.Outcome, e.Act, e.Project = genesis.Refused, "train", "wind"
		}
		h.appended(e)
	}
	h.settled()
	for _, tt := range []struct {
		q    genesis.AuditQuery
		want []int64
	}{
		{genesis.AuditQuery{Limit: 3}, []int64{19, 18, 17}},
		{genesis.AuditQuery{Limit: 3, After: "e17"}, []int64{16, 15, 14}},
		{genesis.AuditQuery{Actor: "ada", Limit: 2}, []int64{18, 15}},
		{genesis.AuditQuery{Actor: "nrel/ada", Limit: 2}, []int64{18, 15}},
		{genesis.AuditQuery{Actor: "mit/ada", Limit: 2}, []int64{17, 14}},
		{genesis.AuditQuery{Actor: "nobody"}, nil},
		{genesis.AuditQuery{Subject: "~ada/model", Limit: 2}, []int64{19, 17}},
		{genesis.AuditQuery{Subject: "turbines", Limit: 2}, []int64{18, 16}},
		{genesis.AuditQuery{Subject: "model"}, nil},
		{genesis.AuditQuery{Subject: "~bob/model"}, nil},
		{genesis.AuditQuery{Act: "train"}, []int64{15, 10, 5, 0}},
		{genesis.AuditQuery{Outcome: genesis.Refused, Actor: "bob"}, []int64{10}},
		{genesis.AuditQuery{Outcome: genesis.Allowed, Limit: 1}, []int64{19}},
		{genesis.AuditQuery{Project: "wind", Subject: "turbines"}, []int64{10, 0}},
		{genesis.AuditQuery{Since: noon.Add(3 * time.Second), Until: noon.Add(5 * time.Second)}, []int64{4, 3}},
	} {
		var got []int64
		for _, e := range h.query(tt.q) {
			got = append(got, e.Seq)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.q, diff)
		}
	}
	for _, after := range []string{"x", "e", "e-1", "e01", "17", "e99999999999999999999"} {
		if _, err := h.Query(t.Context(), genesis.AuditQuery{After: after}); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("cursor %q gives %v", after, err)
		}
	}
}

// TestPagesAreStable follows the cursors while entries come.
func TestPagesAreStable(t *testing.T) {
	h := start(t, t.TempDir())
	for i := range 25 {
		h.appended(read("ada", i))
	}
	h.settled()
	want := int64(24)
	q := genesis.AuditQuery{Limit: 4}
	for pages := 0; ; pages++ {
		p, err := h.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			if e.Seq != want {
				t.Fatalf("entry %d follows, want %d", e.Seq, want)
			}
			want--
		}
		if p.Next == "" {
			break
		}
		q.After = p.Next
		h.appended(read("bob", 100+pages)).settled()
	}
	if want != -1 {
		t.Errorf("the last entry seen is %d", want+1)
	}
}

func TestRebuildsIndex(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"none":        func(string) error { return nil },
		"missing":     os.Remove,
		"no database": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("no index ", 1000)), 0o600) },
		"empty":       func(path string) error { return os.Truncate(path, 0) },
		"cut":         func(path string) error { return os.Truncate(path, 8192) },
	} {
		h := start(t, t.TempDir())
		for i := range 300 {
			h.appended(read("ada", i))
		}
		h.settled()
		want := h.query(genesis.AuditQuery{})
		h.stop()
		if err := spoil(filepath.Join(h.cfg.Dir, indexFile)); err != nil {
			t.Fatal(err)
		}
		h = start(t, h.dir)
		if diff := cmp.Diff(want, h.query(genesis.AuditQuery{})); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
		h.holds(300)
	}
}

// TestIndexOfAnotherLog puts an index beside a log it was not made from.
func TestIndexOfAnotherLog(t *testing.T) {
	a, b := start(t, t.TempDir()), start(t, t.TempDir())
	for i := range 5 {
		a.appended(read("ada", i))
		b.appended(read("bob", i))
	}
	a.settled().stop()
	b.settled().stop()
	text, err := os.ReadFile(filepath.Join(a.cfg.Dir, indexFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(b.cfg.Dir, indexFile), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	b = start(t, b.dir)
	b.holds(5)
	if got := b.query(genesis.AuditQuery{Actor: "bob"}); len(got) != 5 {
		t.Errorf("entries are %v", got)
	}
}

// TestBackup restores a backup that was made while events came, after more had
// come: the answers are those of the backup, and the new log says where the old
// one was.
func TestBackup(t *testing.T) {
	h := start(t, t.TempDir(), func(c *Config) { c.Interval = time.Millisecond })
	for i := range 600 {
		h.appended(read("ada", i))
	}
	h.stated(card(1)).settled()
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				h.appended(read("bob", i)).recorded(read("bob", -i))
			}
		}
	})
	restored := t.TempDir()
	if err := h.cfg.DB.Copy(t.Context(), filepath.Join(restored, "catalog.db")); err != nil {
		t.Fatal(err)
	}
	err := h.Copy(t.Context(), t.TempDir(), func(from, name string) error {
		b, err := os.ReadFile(from)
		to := filepath.Join(restored, "journal", filepath.FromSlash(name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o700)
		}
		if err == nil {
			err = os.WriteFile(to, b, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	close(stop)
	writer.Wait()
	again := start(t, restored, func(c *Config) { c.Keys = h.cfg.Keys })
	again.settled()
	size := again.audit.size()
	again.holds(size)
	want, got := h.query(genesis.AuditQuery{Until: noon.Add(time.Hour), Actor: "ada"}), again.query(genesis.AuditQuery{Until: noon.Add(time.Hour), Actor: "ada"})
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 100 || size < 600 {
		t.Errorf("%d entries (-before +restored):\n%s", size, diff)
	}
	if err := again.NewEpoch(t.Context(), "restored"); err != nil {
		t.Fatal(err)
	}
	again.holds(size + 1)
	if v, err := again.VerifyCatalogue(t.Context(), nil); err != nil || v.Bad != -1 || v.Checked != 2 {
		t.Errorf("verified %+v, %v", v, err)
	}
}

func TestKey(t *testing.T) {
	h := start(t, t.TempDir())
	h.appended(read("ada", 1)).settled().stop()
	path := filepath.Join(h.cfg.Keys, keyFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v, %v", info, err)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if why := found(t, h); !strings.Contains(why, "missing") {
		t.Errorf("without the key, opening says %q", why)
	}
	if _, err := makeKey(path, disk.OS); err != nil {
		t.Fatal(err)
	}
	if why := found(t, h); !strings.Contains(why, "not signed by") {
		t.Errorf("with another key, opening says %q", why)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if why := found(t, h); why != "" {
		t.Error(why)
	}
}

// TestMovesTheChain opens a home from before there were logs.
func TestMovesTheChain(t *testing.T) {
	for _, tamper := range []string{"", "UPDATE journal SET subject = 'x' WHERE seq = 2"} {
		h := start(t, t.TempDir())
		previous := genesis.Digest("")
		err := h.cfg.DB.Tx(t.Context(), func(tx *sql.Tx) error {
			for i := range int64(3) {
				l := link{seq: i + 1, format: 1, at: store.Time(noon) + i, actor: "local", action: "commit", subject: "turbines", version: "sha256:00", detail: `{"b":1.0,"a":"x"}`}
				l.hash, _ = l.compute(previous)
				previous = l.hash
				if _, err := tx.Exec("INSERT INTO journal (seq, format, at, actor, action, subject, version, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
					l.seq, l.format, l.at, l.actor, l.action, l.subject, l.version, l.detail, string(l.hash)); err != nil {
					return err
				}
			}
			_, err := tx.Exec(tamper)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		h = h.again().settled()
		h.holds(4)
		got := h.query(genesis.AuditQuery{})
		first := fmt.Sprintf(`{"entries":3,"head":%q}`, previous)
		if tamper != "" {
			first = fmt.Sprintf(`{"entries":3,"head":%q,"broken":"entry 2"}`, previous)
		}
		if got[3].Act != "move-journal" || string(got[3].Detail) != first {
			t.Errorf("the first entry is %+v, want %s", got[3], first)
		}
		if e := got[2]; e.Actor != "nrel/local" || e.Act != "commit" || !e.Time.Equal(noon) || string(e.Detail) != `{"b":1.0,"a":"x"}` {
			t.Errorf("the entry after it is %+v", e)
		}
		h.again().settled().holds(4)
	}
}

// TestChainVector holds the hash of the old chain against bytes written by hand.
func TestChainVector(t *testing.T) {
	l := link{seq: 1, format: 1, at: store.Time(noon), actor: "local", action: "commit", subject: "turbines", version: "sha256:00", detail: `{"b": 1.0, "a": "x"}`}
	got, err := l.compute("")
	want := genesis.DigestOf([]byte(`{"action":"commit","actor":"local","detail":{"a":"x","b":1},"format":1,"previous":"","seq":1,` +
		`"subject":"turbines","time":"2027-01-31T12:00:00.000001Z","version":"sha256:00"}`))
	if got != want || err != nil {
		t.Errorf("hash is %s, %v, want %s", got, err, want)
	}
}

func TestVerifySince(t *testing.T) {
	h := start(t, t.TempDir())
	for i := range 700 {
		h.appended(read("ada", i))
	}
	h.settled()
	var last genesis.Event
	v, err := h.Verify(t.Context(), noon.Add(600*time.Second), func(e genesis.Event) { last = e })
	if err != nil || v.Bad != -1 || v.Checked != 700-512 || v.Size != 700 || last.Total != 700 {
		t.Errorf("verified %+v, %v, progress %+v", v, err, last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Verify(ctx, time.Time{}, nil); genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("a cancelled verification gives %v", err)
	}
}

// TestVerifyFindsChangedRows changes what lies beside the log.
func TestVerifyFindsChangedRows(t *testing.T) {
	for _, tt := range []struct {
		name, db, change, part string
		entry                  int64
	}{
		{"name", "private.db", "UPDATE people SET person = 'nrel/eve' WHERE person = 'nrel/bob'", "people", 1},
		{"salt", "private.db", "UPDATE people SET salt = zeroblob(32) WHERE person = 'nrel/bob'", "people", 1},
		{"person away", "private.db", "DELETE FROM people WHERE person = 'nrel/bob'", "people", 1},
		{"body", "private.db", `UPDATE bodies SET body = CAST('{"purpose":"none"}' AS BLOB) WHERE seq = 2`, "purpose and detail are not", 2},
		{"body away", "private.db", "DELETE FROM bodies WHERE seq = 2", "missing", 2},
		{"body salt", "private.db", "UPDATE bodies SET salt = zeroblob(32) WHERE seq = 2", "purpose and detail are not", 2},
		{"row", indexFile, "UPDATE entries SET act = 'write' WHERE seq = 2", "index", 2},
		{"row away", indexFile, "DELETE FROM entries WHERE seq = 2", "index", 2},
		{"rows exchanged", indexFile, "UPDATE entries SET actor = (SELECT actor FROM entries WHERE seq = 1) WHERE seq = 0", "index", 0},
	} {
		h := start(t, t.TempDir())
		h.appended(read("ada", 1), read("bob", 2), read("ada", 3), read("ada", 4)).settled()
		db := h.private.db
		if tt.db == indexFile {
			db = h.index.db
		}
		err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(tt.change)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		h.broken(tt.entry, tt.part)
		if tt.name == "row away" {
			continue // a query cannot see what the index does not name
		}
		_, err = h.Query(t.Context(), genesis.AuditQuery{})
		var e *genesis.Error
		if !errors.As(err, &e) || e.Kind != genesis.Internal || e.Subject != fmt.Sprintf("entry %d", tt.entry) {
			t.Errorf("%s: the query gives %v", tt.name, err)
		}
	}
}

// TestManyWriters appends, records, queries and verifies at once.
func TestManyWriters(t *testing.T) {
	h := start(t, t.TempDir(), func(c *Config) { c.Interval = time.Millisecond })
	const writers, each = 16, 50
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				h.appended(read(fmt.Sprintf("p%d", w), i))
				if i%10 == 0 {
					h.recorded(read("ada", i))
				}
			}
		})
	}
	all.Go(func() {
		for range 5 {
			h.query(genesis.AuditQuery{Limit: 10})
			if v, err := h.Verify(context.Background(), time.Time{}, nil); err != nil || v.Bad != -1 {
				t.Errorf("verified %+v, %v", v, err)
			}
		}
	})
	all.Wait()
	h.settled().holds(writers * (each + each/10))
	for w := range writers {
		if n := len(h.query(genesis.AuditQuery{Actor: genesis.PersonID(fmt.Sprintf("p%d", w))})); n != each {
			t.Errorf("writer %d has %d entries, want %d", w, n, each)
		}
	}
}
