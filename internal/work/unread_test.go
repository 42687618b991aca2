package work

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/format"
)

// secrets is a dataset of 500 rows with an identifier and one split.
func secrets() *genesis.Description {
	column := func(name string, r genesis.Role) genesis.ManifestColumn {
		return genesis.ManifestColumn{Column: genesis.Column{Name: name, Type: genesis.Float, Role: r}, Digest: genesis.DigestOf([]byte(name))}
	}
	return &genesis.Description{
		Manifest: genesis.Manifest{Tables: []genesis.ManifestTable{{Name: "rows", Rows: 500, Columns: []genesis.ManifestColumn{
			column("id", genesis.ID), column("a", genesis.Feature), column("b", genesis.Feature), column("note", genesis.Ignore), column("y", genesis.Target)}}}},
		Splits: []genesis.Split{
			{Name: "random", Table: "rows", Counts: map[string]int64{"train": 400, "test": 100}, Cut: []string{"2020-01-01"}},
			{Name: "tiny", Table: "rows", Counts: map[string]int64{"train": 1, "test": 499}},
			{Name: "folds", Table: "rows", Folds: 2, Counts: map[string]int64{"fold-0": 450, "fold-1": 50, "unassigned": 400}},
		},
	}
}

// TestUnread: what an attacker may try with a training alone.
func TestUnread(t *testing.T) {
	whole := genesis.TrainRequest{Dataset: "secrets", Name: "m", Table: "rows", Target: []string{"y"}, Split: "random", Features: []string{"a", "b"}}
	for _, c := range []struct {
		name  string
		terms genesis.TrainingTerms
		req   genesis.TrainRequest
		rule  string // "" is accepted
		want  genesis.TrainRequest
	}{
		{"nothing said", genesis.TrainingTerms{}, genesis.TrainRequest{Dataset: "secrets", Name: "m"}, "", whole},
		{"target is the id", genesis.TrainingTerms{}, genesis.TrainRequest{Target: []string{"id"}}, "unread-target", whole},
		{"target is a feature", genesis.TrainingTerms{}, genesis.TrainRequest{Target: []string{"a"}}, "unread-target", whole},
		{"the id as a feature", genesis.TrainingTerms{}, genesis.TrainRequest{Features: []string{"id", "a"}}, "unread-feature", whole},
		{"the target as a feature", genesis.TrainingTerms{}, genesis.TrainRequest{Features: []string{"y"}}, "unread-feature", whole},
		{"an ignored column", genesis.TrainingTerms{}, genesis.TrainRequest{Features: []string{"note"}}, "unread-feature", whole},
		{"a split of one row", genesis.TrainingTerms{}, genesis.TrainRequest{Split: "tiny"}, "unread-rows", whole},
		{"a fold that leaves few rows", genesis.TrainingTerms{}, genesis.TrainRequest{Split: "folds", Fold: 0}, "unread-rows", whole},
		{"a split that is not there", genesis.TrainingTerms{}, genesis.TrainRequest{Split: "mine"}, "unread-split", whole},
		{"a split the steward did not name", genesis.TrainingTerms{Splits: []string{"folds"}}, genesis.TrainRequest{Split: "random"}, "unread-split", whole},
		{"a table that is not there", genesis.TrainingTerms{}, genesis.TrainRequest{Table: "other", Target: []string{"y"}}, "unread-table", whole},
		{"more rows wanted", genesis.TrainingTerms{MinRows: 401}, genesis.TrainRequest{}, "unread-rows", whole},
		{"the steward names a feature", genesis.TrainingTerms{Features: []string{"a"}}, genesis.TrainRequest{Features: []string{"b"}}, "unread-feature", whole},
		{"the steward names a target", genesis.TrainingTerms{Targets: []string{"a"}, Features: []string{"b"}}, genesis.TrainRequest{Target: []string{"a"}}, "",
			genesis.TrainRequest{Dataset: "secrets", Table: "rows", Target: []string{"a"}, Split: "random", Features: []string{"b"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.req.Dataset == "" {
				c.req.Dataset = "secrets"
			}
			got, err := unread(secrets(), c.terms, c.req)
			if c.rule == "" {
				if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
				return
			}
			if genesis.KindOf(err) != genesis.Permission || !strings.Contains(err.Error(), c.rule) {
				t.Fatalf("got %v, want a refusal by %s", err, c.rule)
			}
			var e *genesis.Error
			if !errors.As(err, &e) || !strings.HasPrefix(e.Hint, "accepted") {
				t.Errorf("the refusal does not say what would be accepted: %q", e.Hint)
			}
		})
	}
}

// TestRedact: nothing that a cell can be told from is left.
func TestRedact(t *testing.T) {
	const cell = "cell-4711"
	d := secrets()
	d.Profile = &genesis.Profile{Tables: []genesis.TableProfile{{Columns: []genesis.ColumnProfile{{Top: []genesis.ValueCount{{Value: cell}}}}}}}
	d.Findings = []genesis.Finding{{Message: cell}}
	d.Recipe = cell
	d.Readiness = &genesis.Readiness{Checks: []genesis.Check{{ID: "x", Evidence: cell, Fix: cell}}, Proof: &genesis.Proof{Err: cell}}
	d.Provenance = &genesis.Provenance{Sources: []genesis.Source{{Preamble: cell}}, Software: "genesis"}
	d.Splits[0].Cut, d.Splits[0].Leaks = []string{cell}, []genesis.LeakCheck{{Detail: cell}}
	d.Manifest.Rejects = []genesis.ManifestTable{{Name: cell}}
	d.Report = &genesis.ModelReport{Notes: []string{cell}, Targets: []genesis.TargetReport{{Classes: []string{cell}}}}
	whole := *d
	redact(d)
	text, err := genesis.CanonicalJSON(d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), cell) || strings.Contains(string(text), string(genesis.DigestOf([]byte("a")))) {
		t.Errorf("left: %s", text)
	}
	if len(d.Manifest.Tables[0].Columns) != 5 || d.Readiness.Checks[0].ID != "x" || d.Provenance.Software != "genesis" {
		t.Errorf("lost: %s", text)
	}
	if whole.Manifest.Tables[0].Columns[0].Digest == "" || whole.Readiness.Checks[0].Evidence == "" || whole.Report.Notes == nil {
		t.Error("what was redacted is changed where others see it")
	}
}

// TestRedactFigures: what was measured on rows stays only where it was measured for
// somebody who may not read them.
func TestRedactFigures(t *testing.T) {
	const figure = 0.4711
	for least, stays := range map[int]bool{0: false, 1: false, genesis.LeastGroup: true} {
		d := secrets()
		d.Readiness = &genesis.Readiness{Checks: []genesis.Check{{ID: "baseline", Verdict: genesis.Pass}}, Proof: &genesis.Proof{Net: figure, Trivial: figure, Margin: figure, Rows: 4711}}
		d.Report = &genesis.ModelReport{Least: least, Parameters: 4711, Epochs: 4711, Seconds: figure, Curve: []genesis.CurvePoint{{Train: figure}}, OOD: genesis.OODReport{Threshold: figure},
			Network: "5 nets", Targets: []genesis.TargetReport{{Task: "binary", Coverage: &genesis.Coverage{Actual: figure},
				Scores: map[string]map[string]map[string]float64{"test": {"trivial": {"log_loss": figure}}}}}}
		whole := *d.Report
		redact(d)
		report, err := genesis.CanonicalJSON(d.Report)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(report), "4711"); got != stays {
			t.Errorf("of a training bounded by %d rows is left: %s", least, report)
		}
		if d.Readiness.Proof != nil || d.Readiness.Checks[0].Verdict != genesis.Pass || d.Report.Network == "" || d.Report.Targets[0].Task == "" {
			t.Errorf("of the readiness report is left %+v, of the model's %s", d.Readiness, report)
		}
		if whole.Targets[0].Scores == nil || whole.Targets[0].Coverage == nil {
			t.Error("what was redacted is changed where others see it")
		}
	}
}

// TestDifferenceAtOnce: of two versions that differ in one row only one is trained on,
// also when both are asked for at the same time.
func TestDifferenceAtOnce(t *testing.T) {
	s, _ := OpenTest(t)
	me, bob := access.Local("here"), genesis.Principal{Subject: "bob", Node: "here", Assurance: genesis.AssurancePassword}
	for _, rows := range []int{300, 301} {
		csv := "a,b\n"
		for i := range rows {
			csv += fmt.Sprintf("%d.5,%d.25\n", i%17, i%13)
		}
		raw := &format.Raw{Name: "d.csv", Size: int64(len(csv)), At: strings.NewReader(csv)}
		if _, err := s.Prepare(t.Context(), me, genesis.PrepareRequest{Name: "data", Options: genesis.PrepareOptions{Target: []string{"b"}, NoProof: true}}, []*format.Raw{raw}, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Publish(t.Context(), me, "data", genesis.PublishRequest{Tier: genesis.TierControlled}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Grant(t.Context(), me, genesis.GrantRequest{Ref: "data", To: "person:bob", Actions: []genesis.Action{genesis.TrainOn}}); err != nil {
		t.Fatal(err)
	}
	var errs [8]error
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			req := genesis.TrainRequest{Dataset: fmt.Sprintf("data@%d", 1+i%2), Name: "~bob/net"}
			errs[i] = s.allowTraining(t.Context(), bob, req, &pinned{})
		})
	}
	wg.Wait()
	allowed := [2]int{}
	for i, err := range errs {
		switch {
		case err == nil:
			allowed[i%2]++
		case !strings.Contains(err.Error(), "unread-difference"):
			t.Errorf("%v", err)
		}
	}
	if (allowed[0] == 0) == (allowed[1] == 0) {
		t.Errorf("trainings on either version: %v", allowed)
	}
}
