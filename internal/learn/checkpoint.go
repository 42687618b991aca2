package learn

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
)

// saver keeps the state of a trainer between epochs, so that a killed training
// goes on where it was and ends in the same bits. A state is a safetensors file
// whose metadata hold the rest.
type saver struct {
	tr    *trainer
	to    Checkpointer
	key   string
	saved time.Time
}

// saveEvery is how long a state may wait before it is saved: writing takes
// time, and losing so much work is no loss.
var saveEvery = 2 * time.Second

// saverKey is the metadata entry of the state that is no array.
const saverKey = "state"

// state is what a checkpoint holds beside arrays.
type state struct {
	Key     string               `json:"key"` // of data and plan
	Epoch   int                  `json:"epoch"`
	Curve   []genesis.CurvePoint `json:"curve"`
	Members []memberState        `json:"members"`
}

type memberState struct {
	Step       int     `json:"step"`
	Score      float64 `json:"score"`
	BestAt     int     `json:"best_at"`
	Stopped    bool    `json:"stopped"`
	Train      float64 `json:"train"`
	Validation float64 `json:"validation"`
}

func newSaver(tr *trainer, to Checkpointer) *saver {
	s := &saver{tr: tr, to: to}
	if to != nil {
		s.key = tr.fingerprint()
	}
	return s
}

// fingerprint is a digest of everything the result depends on.
func (tr *trainer) fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "checkpoint 1\n%d\n%+v\n%v\n%v\n", tr.seed, tr.plan, tr.fitRows, tr.calibration)
	h.Write(tr.fold)
	h.Write(writeTensors([]tensor{{"x", []int{tr.x.Rows, tr.x.Cols}, tr.x.Data},
		{"y", []int{tr.y.Rows, tr.y.Cols}, tr.y.Data}, {"w", []int{len(tr.weight)}, tr.weight}}, nil))
	return hex.EncodeToString(h.Sum(nil))
}

// save keeps the state if the last one is old enough.
func (s *saver) save() error {
	if s.to == nil || time.Since(s.saved) < saveEvery {
		return nil
	}
	b := s.state()
	if b == nil {
		return nil
	}
	if err := s.to.Save(b); err != nil {
		return &genesis.Error{Op: op, Kind: genesis.Unavailable, Msg: "the checkpoint cannot be written", Err: err}
	}
	s.saved = time.Now()
	return nil
}

func (s *saver) state() []byte {
	st := state{Key: s.key, Epoch: s.tr.epoch, Curve: s.tr.curve}
	var ts []tensor
	for k, m := range s.tr.members {
		st.Members = append(st.Members, memberState{m.opt.Step, m.score, m.bestAt, m.stopped, m.train, m.validation})
		for i, data := range m.arrays() {
			ts = append(ts, tensor{fmt.Sprintf("%d.%d", k, i), []int{len(data)}, data})
		}
	}
	b, err := json.Marshal(st)
	if err != nil { // a loss that is not a number: such a state is not worth keeping
		return nil
	}
	return writeTensors(ts, map[string]string{saverKey: string(b)})
}

// arrays of a member's state.
func (m *member) arrays() [][]float32 { return [][]float32{m.params, m.best, m.opt.M, m.opt.V} }

// resume restores a kept state; a state of another training is left alone.
func (s *saver) resume() bool {
	if s.to == nil {
		return false
	}
	b, ok := s.to.Load()
	if !ok {
		return false
	}
	ts, meta, err := readTensors(b)
	if err != nil {
		return false
	}
	var st state
	if json.Unmarshal([]byte(meta[saverKey]), &st) != nil || st.Key != s.key || len(st.Members) != len(s.tr.members) {
		return false
	}
	return s.restore(st, ts)
}

func (s *saver) restore(st state, ts []tensor) bool {
	byName := map[string][]float32{}
	for _, t := range ts {
		byName[t.name] = t.data
	}
	for k, m := range s.tr.members {
		for i, data := range m.arrays() {
			if len(byName[fmt.Sprintf("%d.%d", k, i)]) != len(data) {
				return false
			}
		}
	}
	for k, m := range s.tr.members {
		for i, data := range m.arrays() {
			copy(data, byName[fmt.Sprintf("%d.%d", k, i)])
		}
		from := st.Members[k]
		m.opt.Step, m.score, m.bestAt, m.stopped = from.Step, from.Score, from.BestAt, from.Stopped
		m.train, m.validation = from.Train, from.Validation
	}
	s.tr.epoch, s.tr.curve = st.Epoch, slices.Clone(st.Curve)
	return true
}
