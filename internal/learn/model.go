package learn

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

// Model is a trained ensemble with all that prediction needs. It is safe for
// concurrent use.
type Model struct {
	pipe         *pipeline
	targets      []*target
	arch         architecture
	net          *nn.Net
	params       [][]float32
	calibrations []calibration
	ood          *ood
	epochs       int
	resumed      bool
}

// Resumed reports whether the training went on from a checkpoint.
func (m *Model) Resumed() bool { return m.resumed }

func (t *task) model(f *fitted) *Model {
	return &Model{pipe: t.pipe, targets: t.targets, arch: t.plan.architecture(), net: f.net,
		params: f.params, epochs: f.epochs, resumed: f.resumed}
}

// Parts are the files of a stored model.
const (
	partWeights = "weights.safetensors"
	partModel   = "model.json"
)

// document is model.json.
type document struct {
	Format       int           `json:"format"`
	Network      architecture  `json:"network"`
	Members      int           `json:"members"`
	Pipeline     *pipeline     `json:"pipeline"`
	Targets      []*target     `json:"targets"`
	Calibrations []calibration `json:"calibrations"`
	OOD          *ood          `json:"ood"`
}

const documentFormat = 1

// Parts returns the files the model is stored as; equal models have equal
// bytes.
func (m *Model) Parts() (map[string][]byte, error) {
	doc, err := genesis.CanonicalJSON(document{documentFormat, m.arch, len(m.params), m.pipe, m.targets, m.calibrations, m.ood})
	if err != nil {
		return nil, &genesis.Error{Op: op, Kind: genesis.Internal, Msg: "the model cannot be written", Err: err}
	}
	var ts []tensor
	for k, p := range m.params {
		at := 0
		for _, t := range m.net.Tensors() {
			ts = append(ts, tensor{fmt.Sprintf("net%d.%s", k, t.Name), t.Shape, p[at : at+t.Size()]})
			at += t.Size()
		}
	}
	return map[string][]byte{partModel: doc, partWeights: writeTensors(ts, nil)}, nil
}

// Inputs returns the columns that Predict wants.
func (m *Model) Inputs() []genesis.Column {
	cols := make([]genesis.Column, len(m.pipe.Features))
	for k, f := range m.pipe.Features {
		cols[k] = f.Column
	}
	return cols
}

// Outputs returns the columns of Predict's result. For each target T: for a
// regression T_predicted, T_low, T_high (the interval) and T_sd (the deviation
// the ensemble expects); else T_predicted, T_p_CLASS for each class and T_set
// (the classes that at the level cannot be excluded, separated by "|"). Last
// come ood, the flag, and ood_score, flagged above 1.
func (m *Model) Outputs() []genesis.Column {
	var cols []genesis.Column
	taken := names{}
	add := func(name string, t genesis.Type, unit, about string) {
		cols = append(cols, genesis.Column{Name: taken.unique(name), Type: t, Unit: unit, Role: genesis.Feature, Description: about})
	}
	for _, t := range m.targets {
		name, unit := t.Column.Name, t.Column.Unit
		if t.Task == nn.Regression {
			add(name+"_predicted", genesis.Float, unit, "predicted "+name)
			add(name+"_low", genesis.Float, unit, "lower end of the interval")
			add(name+"_high", genesis.Float, unit, "upper end of the interval")
			add(name+"_sd", genesis.Float, unit, "standard deviation expected by the ensemble, before calibration")
			continue
		}
		add(name+"_predicted", t.labelType(), "", "most probable "+name)
		for _, class := range t.Classes {
			add(name+"_p_"+slug(class), genesis.Float, "1", fmt.Sprintf("probability that %s is %q", name, class))
		}
		add(name+"_set", genesis.Text, "", "classes that cannot be excluded at the level, separated by |")
	}
	add("ood", genesis.Boolean, "", "the row is unlike those the model learned from")
	add("ood_score", genesis.Float, "1", "how unlike; flagged above 1")
	return cols
}

// labelType is the type of a predicted class.
func (t *target) labelType() genesis.Type {
	switch t.Column.Type {
	case genesis.Boolean, genesis.Integer:
		return t.Column.Type
	}
	return genesis.Categorical
}

// names are those taken, and the last number tried for each.
type names map[string]int

// unique returns name, or name_2, name_3, … if it is taken.
func (n names) unique(name string) string {
	name = strings.TrimSuffix(name, "_")
	free := name
	for n[free] > 0 {
		n[name]++
		free = fmt.Sprintf("%s_%d", name, n[name])
	}
	n[free] = max(n[free], 1)
	return free
}

// Predict applies the model to the rows of b, whose columns are described by
// cols; columns are matched to the model's inputs by name, and others are
// ignored. It returns one row of Outputs for each row; a row's result does not
// depend on the others. level is the probability with which intervals cover; 0
// means 0.9. It returns *genesis.Error of kind Invalid when an input column is
// missing or its type does not fit.
func (m *Model) Predict(b *format.Batch, cols []genesis.Column, level float64, threads int) (*format.Batch, error) {
	if level == 0 {
		level = 0.9
	}
	if !(level > 0 && level < 1) {
		return nil, &genesis.Error{Op: "predict", Kind: genesis.Invalid, Msg: "the level must lie between 0 and 1"}
	}
	vectors, err := m.match(table{cols, b})
	if err != nil {
		return nil, err
	}
	w := newWriter(m, b.Rows, level)
	look := m.pipe.look()
	const block = 4096 // bounds memory
	for from := 0; from < b.Rows; from += block {
		rows := make([]int, min(block, b.Rows-from))
		for k := range rows {
			rows[k] = from + k
		}
		x := nn.NewMatrix(len(rows), m.net.Inputs)
		m.pipe.encode(vectors, rows, x)
		est := m.estimate(x, max(threads, 1))
		for k, i := range rows {
			w.add(est, k, m.ood.score(look, vectors, i, x.Row(k), est.doubt[k]))
		}
	}
	return w.batch(b), nil
}

// match finds the vectors of the inputs.
func (m *Model) match(t table) ([]*format.Vector, error) {
	vectors := make([]*format.Vector, len(m.pipe.Features))
	for k, f := range m.pipe.Features {
		j := t.index(f.Column.Name)
		if j < 0 {
			return nil, &genesis.Error{Op: "predict", Kind: genesis.Invalid, Subject: f.Column.Name,
				Msg: "the model needs this column and the input does not have it"}
		}
		v := t.vector(j)
		if v != nil && !f.reads(v.Kind) {
			return nil, &genesis.Error{Op: "predict", Kind: genesis.Invalid, Subject: f.Column.Name,
				Msg: fmt.Sprintf("the model wants %s here, the input has another type", f.Column.Type)}
		}
		vectors[k] = v
	}
	return vectors, nil
}

// reads reports whether the feature can be made of values of kind k.
func (f *feature) reads(k format.Kind) bool {
	switch f.Kind {
	case kindTime:
		return k == format.Timestamp || k == format.Date
	case kindNumber, kindAngle, kindBoolean:
		return k == format.Int || k == format.Float || k == format.Bool
	case kindFormula:
		return k == format.Text
	}
	return true
}
