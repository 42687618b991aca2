package work_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/work"
)

// TestSweepSaysWhatWaits: what is kept only because it is young is not in use.
func TestSweepSaysWhatWaits(t *testing.T) {
	s, _ := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("turbines.csv", turbines(0, 50)))
	before, err := s.Sweep(t.Context(), me, true, nil)
	if err != nil || before.Kept == 0 || before.Grace != 7*24*60*60 {
		t.Fatalf("%+v, %v", before, err)
	}
	if _, err := s.Blobs.Put(t.Context(), []byte("of no use to anybody")); err != nil {
		t.Fatal(err)
	}
	for _, dryRun := range []bool{true, false} {
		got, err := s.Sweep(t.Context(), me, dryRun, nil)
		want := *before
		want.Young, want.DryRun = before.Young+1, dryRun
		if err != nil || *got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

// TestPurgeSaysHowMuch counts the bytes that are gone.
func TestPurgeSaysHowMuch(t *testing.T) {
	s, _ := work.OpenTest(t)
	made := prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("turbines.csv", turbines(0, 50)))
	sizes := map[genesis.Digest]int64{}
	list := func(into map[genesis.Digest]int64) {
		err := s.Blobs.List(t.Context(), func(d genesis.Digest, size int64) error {
			into[d] = size
			return context.Cause(t.Context())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	list(sizes)
	out, err := s.Purge(t.Context(), me, made.Version.Ref().String(), "a spill", nil)
	if err != nil {
		t.Fatal(err)
	}
	left := map[genesis.Digest]int64{}
	list(left)
	var blobs, bytes int64
	for d, size := range sizes {
		if _, there := left[d]; !there {
			blobs, bytes = blobs+1, bytes+size
		}
	}
	if bytes == 0 || out.Blobs != blobs || out.Bytes != bytes {
		t.Errorf("says %d bytes in %d blobs; gone are %d in %d", out.Bytes, out.Blobs, bytes, blobs)
	}
}

// TestActs holds the list of acts against the code that records them.
func TestActs(t *testing.T) {
	recorded := regexp.MustCompile(`(?:\bAct: |e\.Act, .*= |\be\.Act = |s\.act\(ctx, who, |s\.requested\(ctx, who, |s\.recordRun\(ctx, tx, [^"]*, |w\.journal\(r, |i\.event\(ctx, tx, [^"]*, |i\.revoke\(ctx, op, [^"]*, |p\.record\(ctx, tx, m, |[fw]\.event\([a-z]+, )"([a-z-]+)"`)
	var found []string
	for _, dir := range []string{".", "../access/identity", "../catalog", "../journal", "../federation", "../federation/mirror", "../federation/post", "../federation/witness"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range recorded.FindAllStringSubmatch(string(b), -1) {
				if !strings.HasSuffix(name, "_test.go") {
					found = append(found, m[1])
				}
			}
		}
	}
	slices.Sort(found)
	if found = slices.Compact(found); !slices.Equal(found, genesis.Acts) {
		t.Errorf("the code records\n%q, and genesis.Acts are\n%q", found, genesis.Acts)
	}
}

// TestAuditIsAudited: that an officer looked, and for what, is in the log once for a
// sequence of pages.
func TestAuditIsAudited(t *testing.T) {
	s, _ := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("turbines.csv", turbines(0, 50)))
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("turbines.csv", turbines(0, 60)))
	audit := func(q genesis.AuditQuery) *genesis.AuditPage {
		t.Helper()
		page, err := s.Audit(t.Context(), me, q)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	q := genesis.AuditQuery{Act: "commit", Subject: "turbines", Limit: 1}
	first := audit(q)
	q.After = first.Next
	if rest := audit(q); first.Next == "" || len(first.Entries) != 1 || len(rest.Entries) != 1 {
		t.Fatalf("pages %+v, %+v", first, rest)
	}
	looks := audit(genesis.AuditQuery{Act: "audit"}).Entries
	if len(looks) != 1 || looks[0].Actor != string(me.Person()) || string(looks[0].Detail) != `{"subject":"turbines","act":"commit","limit":1}` {
		t.Errorf("recorded is %+v", looks)
	}
	_, err := s.Audit(t.Context(), me, genesis.AuditQuery{Act: "pubish"})
	if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(genesis.ProblemOf(err, true).Hint, "preview, project, publish, pull, purge, read,") {
		t.Errorf("an act that is none: %v", err)
	}
	for _, act := range append(slices.Clone(genesis.Acts), "train", "steward") {
		audit(genesis.AuditQuery{Act: act, Since: time.Now()})
	}
}

// TestEpochsAreLogged: the log of a training says how far it got, in few lines.
func TestEpochsAreLogged(t *testing.T) {
	s, _ := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}}, raw("turbines.csv", turbines(0, 300)))
	train := func(of string) (*genesis.Run, string) {
		t.Helper()
		began := time.Now()
		r, err := s.SubmitRun(t.Context(), me, genesis.RunRequest{Kind: genesis.RunTrain, Request: []byte(of)}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		r = ended(t, s, r.ID)
		f, _, err := s.RunLog(t.Context(), me, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if lines := strings.Count(string(b), " epoch "); err != nil || lines > 3+int(time.Since(began)/time.Second) {
			t.Errorf("%d lines of epochs, %v", lines, err)
		}
		return r, string(b)
	}
	r, log := train(`{"dataset":"turbines","name":"net","target":["power"],"members":1,"epochs":40}`)
	var made genesis.Trained
	if err := json.Unmarshal(r.Result, &made); err != nil || r.State != genesis.RunDone {
		t.Fatalf("%+v, %v", r.Error, err)
	}
	if last := fmt.Sprintf(" epoch %d of at most 40, loss ", made.Report.Epochs); !strings.Contains(log, " epoch 1 of at most 40, loss ") || !strings.Contains(log, last) {
		t.Errorf("the log, of %d epochs:\n%s", made.Report.Epochs, log)
	}
}
