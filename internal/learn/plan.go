package learn

import (
	"fmt"
	"math"

	"github.com/opengenesis/genesis/internal/nn"
)

// Plan is what a training does, chosen from the size and shape of the data
// before the first step; docs/learning.md says on what evidence.
type Plan struct {
	Members     int     // nets in the ensemble
	Folds       int     // member k holds back fold k mod Folds of the fit rows to stop early
	Epochs      int     //
	Batch       int     // rows in a minibatch
	Rate        float64 // peak learning rate
	Decay       float64 // weight decay
	Dropout     float64
	Beta        float64 // nn.Head.Beta
	Hidden      []int
	Activation  string // relu, silu, gelu
	Frequencies int    // periodic embeddings; 0: none
	Width       int    // of a periodic embedding
	Sigma       float64
}

// operations bounds the arithmetic of a training of n rows, in multiplications
// of the net's weights: rows × epochs × members × parameters. It grows with the
// rows between 10,000 and 125,000, so that the epochs do not fall there.
func operations(n int) float64 { return min(max(3.2e6*float64(n), 3.2e10), 4e11) }

// choosePlan plans for n rows to fit and the given pipeline.
func choosePlan(p *pipeline, targets []*target, n int, opt Options) Plan {
	plan := Plan{Members: 5, Folds: 10, Rate: 2e-3, Decay: 0.02, Beta: 1, Dropout: 0.05,
		Activation: "relu", Hidden: []int{96, 96}, Frequencies: 16, Width: 8, Sigma: 1}
	switch {
	case n > 50_000:
		plan.Members, plan.Hidden, plan.Batch = 3, []int{192, 192}, 1024
	case n > 20_000:
		plan.Batch = 512
	case n > 4_000:
		plan.Batch = 256
	case n > 1_000:
		plan.Batch = 128
	default:
		plan.Batch = min(max(n/16, 16), 64)
	}
	if len(p.periodic()) > 64 {
		plan.Frequencies = 0
	}
	if opt.Members > 0 {
		plan.Members = opt.Members
	}
	net := plan.net(p, targets)
	epochs := operations(n) / (float64(n) * float64(plan.Members) * float64(net.Size()))
	plan.Epochs = int(min(max(math.Round(epochs), 6), 120))
	if opt.Epochs > 0 {
		plan.Epochs = opt.Epochs
	}
	if opt.Tune != nil {
		opt.Tune(&plan)
	}
	return plan
}

// architecture is the part of a plan that a stored model needs.
type architecture struct {
	Hidden      []int  `json:"hidden"`
	Activation  string `json:"activation"`
	Frequencies int    `json:"frequencies"`
	Width       int    `json:"width"`
}

func (p Plan) architecture() architecture {
	return architecture{p.Hidden, p.Activation, p.Frequencies, p.Width}
}

func (p Plan) net(pipe *pipeline, targets []*target) *nn.Net {
	return p.architecture().net(pipe, targets, p.Dropout, p.Sigma)
}

// net builds the network: embeddings, hidden layers, one linear layer of all
// heads' outputs.
func (a architecture) net(p *pipeline, targets []*target, dropout, sigma float64) *nn.Net {
	e := nn.Embed{Dense: p.dense(), Frequencies: a.Frequencies, Width: a.Width, Sigma: sigma}
	if a.Frequencies > 0 {
		e.Periodic = p.periodic()
	}
	for _, size := range p.categories() {
		e.Categories = append(e.Categories, nn.Category{Size: size, Width: categoryWidth(size)})
	}
	layers := []nn.Layer{e}
	width := e.Out(0)
	for _, h := range a.Hidden {
		layers = append(layers, nn.Linear{Inputs: width, Outputs: h, Gain: math.Sqrt2}, activation(a.Activation))
		if dropout > 0 {
			layers = append(layers, nn.Dropout{P: dropout})
		}
		width = h
	}
	outputs := 0
	for _, h := range heads(targets, 0) {
		outputs += h.Width()
	}
	layers = append(layers, nn.Linear{Inputs: width, Outputs: outputs, Gain: 0.3})
	return nn.New(e.In(), layers...)
}

func activation(name string) nn.Layer {
	switch name {
	case "silu":
		return nn.SiLU{}
	case "gelu":
		return nn.GELU{}
	}
	return nn.ReLU{}
}

// categoryWidth is how many features a category of so many codes becomes.
func categoryWidth(size int) int {
	return int(min(max(math.Round(1.6*math.Pow(float64(size), 0.4)), 2), 24))
}

// String describes the network in words.
func (p Plan) String() string {
	s := fmt.Sprintf("%d nets of ", p.Members)
	if p.Members == 1 {
		s = "1 net of "
	}
	for i, h := range p.Hidden {
		if i > 0 {
			s += "→"
		}
		s += fmt.Sprint(h)
	}
	s += ", " + map[string]string{"relu": "ReLU", "silu": "SiLU", "gelu": "GELU"}[p.Activation]
	if p.Frequencies > 0 {
		s += ", periodic embeddings"
	}
	return s
}
