package learn

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/nn"
)

// Bounds of a stored model: they keep a hostile one from costing much.
const (
	maxDocument = 256 << 20
	maxWeights  = 1 << 30
	maxMembers  = 100
	maxHidden   = 1 << 14
	maxInputs   = 200_000
)

// Load reads a model from the files that Parts returned. Whatever the bytes are,
// it returns a model that predicts without panicking, or *genesis.Error of kind
// Invalid, or Unsupported for a format number it does not know.
func Load(parts map[string][]byte) (*Model, error) {
	raw, weights := parts[partModel], parts[partWeights]
	if len(raw) > maxDocument || len(weights) > maxWeights {
		return nil, damaged(partModel, "it is larger than any model")
	}
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, damaged(partModel, "it is no JSON object of a model")
	}
	if doc.Format != documentFormat {
		return nil, &genesis.Error{Op: "load model", Kind: genesis.Unsupported, Subject: partModel,
			Msg: fmt.Sprintf("its format number is %d, this program knows %d", doc.Format, documentFormat)}
	}
	if msg := doc.check(); msg != "" {
		return nil, damaged(partModel, msg)
	}
	ts, _, err := readTensors(weights)
	if err != nil {
		return nil, err
	}
	m := &Model{pipe: doc.Pipeline, targets: doc.Targets, arch: doc.Network, calibrations: doc.Calibrations, ood: doc.OOD}
	for _, f := range m.pipe.Features {
		f.index()
	}
	for _, t := range m.targets {
		t.index()
	}
	if parameters(doc.Network, m.pipe, m.targets) > maxWeights/4/doc.Members {
		return nil, damaged(partModel, "its network is larger than any model")
	}
	m.net = m.arch.net(m.pipe, m.targets, 0, 0)
	return m, m.fill(ts, doc.Members)
}

// parameters counts the weights of a network without building it.
func parameters(a architecture, p *pipeline, targets []*target) int {
	width := p.dense() + a.Width*len(p.Features)
	n := width + len(p.Features)*a.Frequencies + (2*a.Frequencies+1)*a.Width
	for _, size := range p.categories() {
		n += size * categoryWidth(size)
		width += categoryWidth(size)
	}
	outputs := 0
	for _, h := range heads(targets, 0) {
		outputs += h.Width()
	}
	for _, h := range append(slices.Clone(a.Hidden), outputs) {
		n += (width + 1) * h
		width = h
	}
	return n
}

// fill puts the stored arrays in place; all must be there, finite, and no more.
func (m *Model) fill(ts []tensor, members int) error {
	byName := map[string]tensor{}
	for _, t := range ts {
		byName[t.name] = t
	}
	want := m.net.Tensors()
	total := 0
	for _, t := range ts {
		total += len(t.data)
	}
	if len(ts) != members*len(want) || total != members*m.net.Size() {
		return damaged(partWeights, "it does not hold the arrays that the model names")
	}
	for k := range members {
		p := make([]float32, 0, m.net.Size())
		for _, w := range want {
			t, ok := byName[fmt.Sprintf("net%d.%s", k, w.Name)]
			if !ok || !slices.Equal(t.shape, w.Shape) {
				return damaged(partWeights, "it does not hold the arrays that the model names")
			}
			p = append(p, t.data...)
		}
		for _, v := range p {
			if v-v != 0 {
				return damaged(partWeights, "a weight is not a finite number")
			}
		}
		m.params = append(m.params, p)
	}
	return nil
}

// check returns what is wrong with the document, or "".
func (d *document) check() string {
	if d.Pipeline == nil || len(d.Pipeline.Features) == 0 || len(d.Targets) == 0 || d.OOD == nil {
		return "it lacks features, targets or calibration"
	}
	if d.Members < 1 || d.Members > maxMembers || len(d.Calibrations) != len(d.Targets) {
		return "its number of nets or calibrations is wrong"
	}
	a := d.Network
	if len(a.Hidden) > 16 || a.Frequencies < 0 || a.Frequencies > 1024 || a.Width < 0 || a.Width > 1024 {
		return "its network is out of bounds"
	}
	for _, h := range a.Hidden {
		if h < 1 || h > maxHidden {
			return "its network is out of bounds"
		}
	}
	for _, f := range d.Pipeline.Features {
		if f == nil || !f.sound() {
			return "a feature is malformed"
		}
	}
	if d.Pipeline.dense() > maxInputs {
		return "it has too many features"
	}
	for _, t := range d.Targets {
		if t == nil || !t.sound() {
			return "a target is malformed"
		}
	}
	for _, c := range d.Calibrations {
		if !ascending(c.Scores) {
			return "a calibration is malformed"
		}
	}
	return d.checkOOD()
}

func (d *document) checkOOD() string {
	o := d.OOD
	positive := o.Doubt > 0 && o.Threshold > 0 && o.Range > 0
	if !positive || !o.Plain.sound(d.Pipeline.dense()) || !o.Logs.sound(d.Pipeline.logWidth()) {
		return "its statistics of unusual rows are malformed"
	}
	return ""
}

func (f *feature) sound() bool {
	switch f.Kind {
	case kindNumber, kindBoolean:
		if !(f.Scale > 0) || f.Low > f.High || f.Floor < 0 || f.Floor > max(f.High, 0) || len(f.Knots) != len(f.Scores) || len(f.Knots) == 1 {
			return false
		}
	case kindAngle, kindCategory:
	case kindTime:
		for _, c := range f.Cycles {
			if c != cycleHour && c != cycleWeek && c != cycleYear {
				return false
			}
		}
	case kindFormula:
		for _, z := range f.Elements {
			if z < 1 || z > len(symbols) {
				return false
			}
		}
	default:
		return false
	}
	return ascending(f.Knots) && ascending(f.Values) && slices.IsSorted(f.Elements) &&
		len(f.Cycles) <= 3 && len(f.Elements) <= len(symbols) && len(f.Vocabulary) <= maxVocabulary
}

func (t *target) sound() bool {
	switch t.Task {
	case nn.Regression:
		return t.Scale > 0
	case nn.Binary:
		return len(t.Classes) == 2 && slices.IsSorted(t.Classes)
	case nn.Multiclass:
		return len(t.Classes) >= 2 && len(t.Classes) <= maxClasses && slices.IsSorted(t.Classes)
	}
	return false
}

func ascending(xs []float64) bool { return slices.IsSorted(xs) }
