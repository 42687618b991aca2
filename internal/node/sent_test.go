//go:build linux || darwin

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

// secretCell is one that nobody else has.
const secretCell = "molecule-7f3a9c"

// sender is somebody who may use a model of nrel and not have it.
func sender(t *testing.T) (c *cluster, ada *client.Client) {
	t.Helper()
	c = newCluster(t, "nrel", "mit")
	nrel := c.towns["nrel"]
	nrel.prepare("wind", alternating(200))
	nrel.must(nrel.works.Publish(t.Context(), nrel.local, "wind", genesis.PublishRequest{Tier: genesis.TierRegistered}))
	_, err := nrel.works.Train(t.Context(), nrel.local, genesis.TrainRequest{Dataset: "wind", Name: "net", Target: []string{"power"}, Epochs: 1, Members: 1}, nil)
	nrel.must(nil, err)
	nrel.must(nrel.works.Publish(t.Context(), nrel.local, "net", genesis.PublishRequest{Tier: genesis.TierControlled}))
	nrel.must(nrel.works.Grant(t.Context(), nrel.local, genesis.GrantRequest{Ref: "net", To: "person:mit/ada", Actions: []genesis.Action{genesis.Infer}}))
	c.towns["mit"].settle("ada", nil)
	return c, c.guest("mit", "ada", "nrel")
}

// alternating is a table to learn from.
func alternating(rows int) string {
	var b strings.Builder
	b.WriteString("speed,power\n")
	for i := range rows {
		b.WriteString([]string{"1.5,3", "2.5,5", "4,8", "6.5,13"}[i%4] + "\n")
	}
	return b.String()
}

// sends brings a file and has the model applied to it.
func sends(ctx context.Context, t *testing.T, ada *client.Client, csv string) (*genesis.Predicted, error) {
	t.Helper()
	u, err := ada.Upload(t.Context(), strings.NewReader(csv), int64(len(csv)), "new.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	return ada.Predict(ctx, genesis.PredictRequest{Model: "net", Files: []genesis.FileRef{u.Ref()}, Format: "csv"}, nil)
}

// holding are the files of a node's home in which the secret is.
func (c *cluster) holding(id genesis.NodeID) (all []string) {
	c.Helper()
	home := c.towns[id].node.home.Path
	err := filepath.WalkDir(home, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // removed meanwhile
		}
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(secretCell)) {
			rel, _ := filepath.Rel(home, path)
			all = append(all, rel)
		}
		return nil
	})
	if err != nil {
		c.Fatal(err)
	}
	return all
}

// gone waits for what is removed a moment after the answer.
func (c *cluster) gone(id genesis.NodeID, when string) {
	c.Helper()
	c.eventually(when+", the rows are gone", func() bool { return len(c.holding(id)) == 0 })
}

const sentRows = "id,speed,note\n1,1.5,ok\n" + "2,2.5," + secretCell + "\n"

// TestSentRows: of rows that somebody of another node sends nothing is left once the
// predictions are fetched, nor in the record of the run.
func TestSentRows(t *testing.T) {
	c, ada := sender(t)
	made, err := sends(t.Context(), t, ada, sentRows)
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Columns) < 4 {
		t.Errorf("who asked is told of %d columns", len(made.Columns))
	}
	if got := c.holding("nrel"); len(got) != 1 || !strings.HasPrefix(got[0], filepath.Join("runs", "outputs")) {
		c.eventually("only the output waits", func() bool { got = c.holding("nrel"); return len(got) == 1 })
	}
	var out bytes.Buffer
	if err := ada.Output(t.Context(), made.Output, &out, nil); err != nil || !strings.Contains(out.String(), secretCell) {
		t.Fatalf("%v: %q", err, out.String())
	}
	c.gone("nrel", "when they were fetched")
	if err := ada.Output(t.Context(), made.Output, &out, nil); genesis.KindOf(err) != genesis.NotFound || !strings.Contains(err.Error(), "fetched already") {
		t.Errorf("fetched twice: %v", err)
	}
	page, err := ada.Runs(t.Context(), false, "", "", 10)
	if err != nil || len(page.Runs) != 1 {
		t.Fatalf("%+v %v", page, err)
	}
	r, err := ada.Run(t.Context(), page.Runs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	var kept genesis.Predicted
	if err := json.Unmarshal(r.Result, &kept); err != nil || kept.Rows != 2 || kept.Output.Digest != made.Output.Digest || len(kept.Columns) > 0 {
		t.Errorf("the record: %+v %v", kept, err)
	}
	if left, err := os.ReadDir(filepath.Join(c.towns["nrel"].node.home.Path, "uploads")); err != nil || len(left) > 0 {
		t.Errorf("uploads: %v %v", left, err)
	}
}

// TestSentRowsRefused: a refusal quotes a file to who sent it, and to nobody later.
func TestSentRowsRefused(t *testing.T) {
	c, ada := sender(t)
	_, err := sends(t.Context(), t, ada, "id,"+secretCell+"\n1,2\n2,3\n")
	if err == nil || !strings.Contains(err.Error()+genesis.ProblemOf(err, true).Hint, "speed") {
		t.Fatalf("%v", err)
	}
	c.gone("nrel", "when the file does not fit")
	_, err = sends(t.Context(), t, ada, "id,speed\n1,"+secretCell+"\n2,"+secretCell+"\n")
	if err == nil {
		t.Fatal("text where numbers should be")
	}
	c.gone("nrel", "when the cells do not fit")
	page, err := ada.Runs(t.Context(), false, "", "", 10)
	if err != nil || len(page.Runs) != 2 || page.Runs[0].Error == nil {
		t.Fatalf("%+v %v", page, err)
	}
}

// TestSentRowsLeft: where whoever sent rows is gone before they fetched the predictions,
// these are removed when their time is over, also by a node that crashed meanwhile.
func TestSentRowsLeft(t *testing.T) {
	c, ada := sender(t)
	if _, err := sends(t.Context(), t, ada, sentRows); err != nil {
		t.Fatal(err)
	}
	c.kill("nrel") // the upload goes a moment after the answer: a crash between keeps it
	nrel := c.towns["nrel"]
	for _, got := range c.holding("nrel") {
		switch filepath.Dir(got) {
		case filepath.Join("runs", "outputs"):
			touch(t, filepath.Join(nrel.node.home.Path, got), time.Now())
		case "uploads":
		default:
			t.Fatalf("after a crash it is in %v", got)
		}
	}
	if n, err := nrel.works.PruneSent(t.Context()); n != 0 || err != nil {
		t.Errorf("%d removed at once, %v", n, err)
	}
	c.line.clocks["nrel"].turn(genesis.KeepSent)
	if n, err := nrel.works.PruneSent(t.Context()); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	if n, err := nrel.node.uploads.Sweep(t.Context()); n > 1 || err != nil {
		t.Errorf("%d uploads removed, %v", n, err)
	}
	c.gone("nrel", "an hour later")

	c.line.clocks["nrel"].turn(0)
	if _, err := sends(t.Context(), t, c.guest("mit", "ada", "nrel"), sentRows); err != nil {
		t.Fatal(err)
	}
	c.eventually("only the output waits", func() bool { return len(c.holding("nrel")) == 1 })
	c.stop("nrel")
	c.line.clocks["nrel"].turn(genesis.KeepSent)
	c.restart("nrel")
	if got := c.holding("nrel"); len(got) != 0 {
		t.Errorf("a node that was down for an hour has it in %v", got)
	}
}

func touch(t *testing.T, path string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestSentRowsCanceled: where whoever sent rows goes while they are worked on, nothing
// stays to be fetched.
func TestSentRowsCanceled(t *testing.T) {
	c, ada := sender(t)
	var b strings.Builder
	b.WriteString(sentRows)
	for range 200_000 {
		b.WriteString("3,4,more\n")
	}
	csv := b.String()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	u, err := ada.Upload(t.Context(), strings.NewReader(csv), int64(len(csv)), "new.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ada.Predict(ctx, genesis.PredictRequest{Model: "net", Files: []genesis.FileRef{u.Ref()}, Format: "csv"}, func(genesis.Event) { cancel() })
	if err == nil {
		t.Fatal("it was not canceled")
	}
	c.gone("nrel", "when it was canceled")
}
