//go:build linux || darwin

package node

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// patients is a table of which everybody may know and that few may read.
func patients(rows int) string {
	var b strings.Builder
	b.WriteString("age,dose,status\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,%d.5,%s\n", 20+i*7919%60, i*104729%97, [...]string{"well", "ill"}[i*31%3%2])
	}
	return b.String()
}

// TestFiguresOfRows: who may only know of two versions that differ in a row is told no
// figure from which the row follows, of the versions or of models of them; who may read
// them is.
func TestFiguresOfRows(t *testing.T) {
	w := newTown(t)
	for _, rows := range []int{300, 299} {
		csv := patients(rows)
		made, err := w.works.Prepare(t.Context(), w.local, genesis.PrepareRequest{Name: "clinic", Options: genesis.PrepareOptions{Target: []string{"status"}}}, []*format.Raw{{Name: "clinic.csv", Size: int64(len(csv)), At: strings.NewReader(csv)}}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if made.Readiness.Proof == nil || made.Readiness.Proof.Trivial == 0 {
			t.Fatalf("there is no baseline: %+v", made.Readiness.Proof)
		}
		w.must(w.works.Publish(t.Context(), w.local, "clinic", genesis.PublishRequest{Tier: genesis.TierControlled}))
		_, err = w.works.Train(t.Context(), w.local, genesis.TrainRequest{Dataset: "clinic", Name: "net", Target: []string{"status"}, Epochs: 2, Members: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.must(w.works.Publish(t.Context(), w.local, "net", genesis.PublishRequest{Tier: genesis.TierControlled}))
	}
	figures := func(who, ref string) (scores int, proof bool, text string) {
		t.Helper()
		status, body := w.call(who, "GET", "/v1/versions/"+ref, "")
		var d genesis.Description
		if err := json.Unmarshal(body, &d); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		if d.Report != nil {
			for _, target := range d.Report.Targets {
				scores += len(target.Scores)
			}
			scores += len(d.Report.Curve)
		}
		return scores, d.Readiness != nil && d.Readiness.Proof != nil, string(body)
	}
	for _, ref := range []string{"clinic@1", "clinic@2", "net@1", "net@2"} {
		if scores, proof, text := figures("gil", ref); scores > 0 || proof || strings.Contains(text, "log_loss") || strings.Contains(text, `"trivial"`) {
			t.Errorf("%s tells who may not read it: %s", ref, text)
		}
		if scores, proof, text := figures("sam", ref); scores == 0 && !proof {
			t.Errorf("%s tells who may read it nothing: %s", ref, text)
		}
	}
	if _, _, text := figures("gil", "clinic@1"); !strings.Contains(text, `"baseline"`) {
		t.Errorf("the verdict is gone, too: %s", text)
	}
}

// TestAnswersWithoutReading: a person who answers for a version and may not read it is
// not told what was found, nor is a token that is narrowed to answering.
func TestAnswersWithoutReading(t *testing.T) {
	w := newTown(t)
	w.prepare("clinic", "name,age\n"+strings.Repeat("Ada Lovelace,36\nGrace Hopper,85\n", 30))
	d, err := w.works.Describe(t.Context(), w.local, "clinic")
	if err != nil || len(d.Findings) == 0 {
		t.Fatalf("nothing was found: %v", err)
	}
	w.token["narrow-steward"] = w.narrow("sam", "steward")
	for _, c := range []struct {
		who   string
		reads bool
	}{{"narrow-steward", false}, {"sam", true}} {
		who, reads := c.who, c.reads
		status, body := w.call(who, "POST", "/v1/versions/clinic/findings/"+d.Findings[0].ID, `{"answer":"looked at by `+who+`"}`)
		var f genesis.Finding
		if err := json.Unmarshal(body, &f); err != nil || status != 200 || f.ID != d.Findings[0].ID || f.Answer == "" || f.By != "sam" {
			t.Fatalf("%d %s", status, body)
		}
		if (f.Message != "") != reads || !reads && (f.Code != "" || f.Rows != nil || f.Column != "" || f.Hint != "" || f.Count != 0) {
			t.Errorf("%s is told %s", who, body)
		}
		page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Actor: "here/sam", Act: "preview"})
		if err != nil || (len(page.Entries) > 0) != reads {
			t.Errorf("the log has %d entries of %s, %v", len(page.Entries), who, err)
		}
	}
}
