package work_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work"
)

var me = access.Local("here")

func raw(name, text string) *format.Raw {
	return &format.Raw{Name: name, Size: int64(len(text)), At: bytes.NewReader([]byte(text))}
}

// turbines is a table whose power follows from speed and temperature.
func turbines(from, n int) string {
	var b strings.Builder
	b.WriteString("serial,speed (m/s),temp (°C),owner e-mail,power (kW)\n")
	for i := from; i < from+n; i++ {
		speed, temp := 5+4*math.Sin(float64(i)*0.7), 10+10*math.Cos(float64(i)*1.3)
		fmt.Fprintf(&b, "T-%05d,%.3f,%.2f,ann%d@example.org,%.3f\n", i, speed, temp, i%7, speed*speed*3+temp+math.Sin(float64(i*i)))
	}
	return b.String()
}

func prepared(t *testing.T, s *work.Service, req genesis.PrepareRequest, files ...*format.Raw) *genesis.Prepared {
	t.Helper()
	p, err := s.Prepare(context.Background(), me, req, files, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFromFileToPrediction walks the whole way of the data.
func TestFromFileToPrediction(t *testing.T) {
	ctx := context.Background()
	s, _ := work.OpenTest(t)
	p := prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{Target: []string{"power"}, Seed: 1}}, raw("turbines.csv", turbines(0, 600)))
	if p.Readiness.Proof == nil || p.Readiness.Proof.Margin < 0.05 {
		t.Errorf("the baseline network proves nothing: %+v", p.Readiness.Proof)
	}

	made, err := s.Train(ctx, me, genesis.TrainRequest{Dataset: "turbines", Name: "power-net", Seed: 1, Members: 2, Epochs: 60}, nil)
	if err != nil {
		t.Fatal(err)
	}
	scores := made.Report.Targets[0].Scores["test"]
	if scores["net"]["rmse"] > scores["trivial"]["rmse"]/2 {
		t.Errorf("the net learnt little: %v", scores)
	}
	d, err := s.Describe(ctx, me, "turbines")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.UsedBy) != 1 || d.UsedBy[0].Name != "power-net" {
		t.Errorf("used by %v, want power-net", d.UsedBy)
	}

	// New rows in degrees Fahrenheit, without the target.
	in := "serial,temp (°F),speed (m/s)\nN-1,50,5.5\nN-2,50,60\n"
	out, err := s.Predict(ctx, me, genesis.PredictRequest{Model: "power-net", Format: "csv"}, []*format.Raw{raw("new.csv", in)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, size, err := s.Output(ctx, me, out.Output.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	csv, err := io.ReadAll(r)
	if err != nil || int64(len(csv)) != size {
		t.Fatalf("%d of %d bytes: %v", len(csv), size, err)
	}
	lines := strings.Split(strings.TrimSpace(string(csv)), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "N-1,") || out.Rows != 2 || out.Flagged != 1 || len(out.Converted) != 1 {
		t.Errorf("%+v\n%s", out, csv)
	}
}

// TestPredictOnPredictions applies a model to a file that has predictions.
func TestPredictOnPredictions(t *testing.T) {
	ctx := context.Background()
	s, _ := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}}, raw("turbines.csv", turbines(0, 100)))
	if _, err := s.Train(ctx, me, genesis.TrainRequest{Dataset: "turbines", Name: "net", Members: 1, Epochs: 1}, nil); err != nil {
		t.Fatal(err)
	}
	in := "temp (°C),speed (m/s),power_predicted\n20,5.5,1\n10,6,2\n"
	out, err := s.Predict(ctx, me, genesis.PredictRequest{Model: "net", Format: "csv"}, []*format.Raw{raw("new.csv", in)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, f := range out.Findings {
		codes = append(codes, f.ID)
	}
	if !slices.Contains(codes, "name-taken:power_predicted") || slices.Contains(codes, "name-taken:power_low") {
		t.Errorf("findings %v", codes)
	}
}

func TestSameSourcesSameVersion(t *testing.T) {
	s, _ := work.OpenTest(t)
	req := genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}
	first := prepared(t, s, req, raw("a.csv", turbines(0, 50)))
	again := prepared(t, s, req, raw("b.csv", turbines(0, 50)))
	if !again.Unchanged || again.Version.Digest != first.Version.Digest {
		t.Errorf("%v, then %v, unchanged %v", first.Version.Digest, again.Version.Digest, again.Unchanged)
	}
	more := prepared(t, s, req, raw("a.csv", turbines(0, 51)))
	d, err := s.Diff(context.Background(), me, string(first.Version.Ref().String()), more.Version.Ref().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Tables[0]; got.Added != 1 || got.Removed != 0 || got.Unchanged != 50 {
		t.Errorf("one more row is %+v", got)
	}
}

func TestAnswersAndCardsOutliveAReplay(t *testing.T) {
	ctx := context.Background()
	s, _ := work.OpenTest(t)
	req := genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}
	p := prepared(t, s, req, raw("a.csv", turbines(0, 50)))
	var ask string
	for _, f := range p.Findings {
		if f.Severity == genesis.Ask {
			ask = f.ID
		}
	}
	if ask == "" {
		t.Fatalf("e-mail addresses ask for no answer: %+v", p.Findings)
	}
	if _, err := s.Answer(ctx, me, "turbines", ask, "made up for a test"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetCard(ctx, me, "turbines", map[string]string{"title": "Turbines", "keywords": "wind, power"}); err != nil {
		t.Fatal(err)
	}
	prepared(t, s, req, raw("a.csv", turbines(0, 60)))
	d, err := s.Describe(ctx, me, "turbines")
	if err != nil {
		t.Fatal(err)
	}
	if d.Card.Title != "Turbines" || !cmp.Equal(d.Card.Keywords, []string{"wind", "power"}) {
		t.Errorf("the new version has the card %+v", d.Card)
	}
	for _, f := range d.Findings {
		if f.ID == ask && f.Answer == "" {
			t.Errorf("the answer to %s is lost", ask)
		}
	}
	if _, err := s.SetCard(ctx, me, "turbines", map[string]string{"colour": "red"}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a field that is none: %v", err)
	}
	if _, err := s.Answer(ctx, me, "turbines", "nothing", "x"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a finding that is none: %v", err)
	}
}

// TestVerifyNamesAnyFlippedBit flips one bit in every stored blob in turn.
func TestVerifyNamesAnyFlippedBit(t *testing.T) {
	ctx := context.Background()
	s, dir := work.OpenTest(t)
	p := prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("a.csv", turbines(0, 500)))
	clean, err := s.Verify(ctx, me, "turbines", nil)
	if err != nil || len(clean.Damage) != 0 || clean.Columns != len(p.Manifest.Tables[0].Columns) {
		t.Fatalf("untouched: %+v, %v", clean, err)
	}
	flipped := 0
	err = filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "format" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			return err
		}
		b[len(b)/2] ^= 4
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
		flipped++
		v, err := s.Verify(ctx, me, "turbines", nil)
		if err != nil {
			return err
		}
		if len(v.Damage) == 0 {
			t.Errorf("a flipped bit in %s was not found", e.Name())
		}
		b[len(b)/2] ^= 4
		return os.WriteFile(path, b, 0o600)
	})
	if err != nil || flipped == 0 {
		t.Fatalf("%d files, %v", flipped, err)
	}
}

// TestKilledTrainingResumes stops a training in its middle; asked for again, it
// goes on and ends in the very model an unbroken training makes.
func TestKilledTrainingResumes(t *testing.T) {
	s, _ := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}}, raw("a.csv", turbines(0, 400)))
	req := genesis.TrainRequest{Dataset: "turbines", Name: "broken", Members: 2, Epochs: 12}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := s.Train(ctx, me, req, func(e genesis.Event) {
		if e.Stage == "training" && e.Done >= 5 {
			cancel()
		}
	})
	if genesis.KindOf(err) != genesis.Canceled {
		t.Fatalf("stopped: %v", err)
	}
	if _, err := s.Describe(context.Background(), me, "broken"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a stopped training left a model: %v", err)
	}
	resumed, err := s.Train(context.Background(), me, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Name = "whole"
	whole, err := s.Train(context.Background(), me, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !resumed.Resumed || whole.Resumed || resumed.Version.Digest != whole.Version.Digest {
		t.Errorf("resumed %v to %s; unbroken %s", resumed.Resumed, resumed.Version.Digest, whole.Version.Digest)
	}
}

func TestStrangersFindNothing(t *testing.T) {
	ctx := context.Background()
	s, _ := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("a.csv", turbines(0, 50)))
	who := genesis.Principal{Subject: "mallory", Node: "elsewhere"}
	_, there := s.Describe(ctx, who, "turbines")
	_, absent := s.Describe(ctx, who, "nothing")
	if genesis.KindOf(there).HTTPStatus() != genesis.KindOf(absent).HTTPStatus() || strings.ReplaceAll(there.Error(), "turbines", "nothing") != absent.Error() {
		t.Errorf("a stranger can tell %q from %q", there, absent)
	}
	if err := s.Export(ctx, who, "turbines", "", "csv", nil, io.Discard, nil); err == nil {
		t.Error("a stranger exports")
	}
	page, err := s.Audit(ctx, me, genesis.AuditQuery{Outcome: genesis.Refused})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) != 0 {
		t.Errorf("the log tells of what nobody may know was asked for: %+v", page.Entries)
	}
}
