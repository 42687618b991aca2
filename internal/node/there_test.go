//go:build linux || darwin

package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/format"
)

// pair is a federation of nrel, which has a dataset that ada of mit may train on but not
// read, and mit.
type pair struct {
	*cluster
}

func newPair(t *testing.T) *pair {
	p := &pair{newCluster(t, "nrel", "mit")}
	p.towns["mit"].settle("ada", nil)
	p.offer("turbines", genesis.TrainOn)
	return p
}

// ada is a client of mit as ada.
func (p *pair) ada() *client.Client {
	mit := p.towns["mit"]
	return client.New(mit.url, nil).WithToken(mit.token["ada"])
}

// offer makes a dataset at nrel that ada of mit may do some things with.
func (p *pair) offer(name string, may ...genesis.Action) genesis.Version {
	p.Helper()
	nrel := p.towns["nrel"]
	var b strings.Builder
	b.WriteString("speed,temp,power\n")
	for i := range 300 {
		speed, temp := 5+4*math.Sin(float64(i)*0.7), 10+10*math.Cos(float64(i)*1.3)
		fmt.Fprintf(&b, "%.3f,%.2f,%.3f\n", speed, temp, speed*3+temp)
	}
	raw := &format.Raw{Name: name + ".csv", Size: int64(b.Len()), At: bytes.NewReader([]byte(b.String()))}
	made, err := nrel.works.Prepare(p.Context(), nrel.local, genesis.PrepareRequest{Name: genesis.Name(name), Options: genesis.PrepareOptions{NoProof: true, Target: []string{"power"}}}, []*format.Raw{raw}, nil, nil)
	if err != nil {
		p.Fatal(err)
	}
	nrel.must(nrel.works.Publish(p.Context(), nrel.local, name, genesis.PublishRequest{Tier: genesis.TierControlled}))
	if len(may) > 0 {
		nrel.must(nrel.works.Grant(p.Context(), nrel.local, genesis.GrantRequest{Ref: name, To: "person:mit/ada", Actions: may}))
	}
	return made.Version
}

// tiny is a training that takes no time.
func tiny(dataset string) genesis.TrainRequest {
	return genesis.TrainRequest{Dataset: dataset, Members: 1, Epochs: 1}
}

// submit orders a training.
func (p *pair) submit(id string, q genesis.TrainRequest) *genesis.Run {
	p.Helper()
	r, err := p.ada().SubmitRun(p.Context(), genesis.RunRequest{ID: id, Kind: genesis.RunTrain, Request: asJSON(p.T, q)})
	if err != nil {
		p.Fatal(err)
	}
	return r
}

func asJSON(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ended waits until a run of ada's has ended.
func (p *pair) ended(id string) genesis.Run {
	p.Helper()
	var r *genesis.Run
	defer func() {
		if r != nil && !r.State.Ended() {
			p.Logf("the run is %s: %+v", r.State, *r)
		}
	}()
	p.eventually("the run ends", func() bool {
		var err error
		if r, err = p.ada().Run(p.Context(), id); err != nil {
			p.Fatal(err)
		}
		return r.State.Ended()
	})
	return *r
}

// TestTrainThere: what somebody may train on but not read at another node is trained on
// there, and the model is theirs there.
func TestTrainThere(t *testing.T) {
	p := newPair(t)
	may, err := p.ada().May(t.Context(), "nrel/turbines")
	if err != nil || !may.Allows(genesis.TrainOn) || may.Allows(genesis.Read) {
		t.Fatalf("%+v %v", may, err)
	}
	r := p.submit("", tiny("nrel/turbines"))
	if r.At != "nrel" || r.Subject != "nrel/turbines" || r.Why == "" {
		t.Errorf("%+v", r)
	}
	end := p.ended(r.ID)
	if end.State != genesis.RunDone {
		t.Fatalf("%+v", end.Error)
	}
	var made genesis.Trained
	if err := json.Unmarshal(end.Result, &made); err != nil || made.Version.Name != "~ada+mit/turbines-power" || made.Report.Least != genesis.LeastGroup {
		t.Errorf("%+v %v", made.Version, err)
	}
	there, err := p.ada().At(t.Context(), "nrel")
	if err != nil {
		t.Fatal(err)
	}
	d, err := there.Describe(t.Context(), made.Version.Ref().String())
	if err != nil || d.Version.Creator != "mit/ada" {
		t.Errorf("%+v %v", d, err)
	}
	var log bytes.Buffer
	if _, err := p.ada().RunLog(t.Context(), r.ID, &log); err != nil || !strings.Contains(log.String(), "done") {
		t.Errorf("the log is %q, %v", log.String(), err)
	}
	attached, err := p.ada().Train(t.Context(), genesis.TrainRequest{Dataset: "nrel/turbines", Name: "again", Members: 1, Epochs: 1, Seed: 7}, nil)
	if err != nil || attached.Version.Name != "~ada+mit/again" {
		t.Errorf("%+v %v", attached, err)
	}
}
