package nn

// Net is a chain of layers over one flat vector of parameters.
type Net struct {
	Inputs  int
	Layers  []Layer
	at      []int // where each layer's parameters begin; one more at the end
	widths  []int // columns after each layer
	tensors []Tensor
}

// New chains layers over inputs columns.
func New(inputs int, layers ...Layer) *Net {
	n := &Net{Inputs: inputs, Layers: layers, at: []int{0}}
	width, named := inputs, 0
	for i, l := range layers {
		size := 0
		for _, t := range l.Tensors() {
			size += t.Size()
			t.Name = itoa(named) + "." + t.Name
			n.tensors = append(n.tensors, t)
		}
		if size > 0 {
			named++
		}
		width = l.Out(width)
		n.at = append(n.at, n.at[i]+size)
		n.widths = append(n.widths, width)
	}
	return n
}

// Size returns the number of parameters.
func (n *Net) Size() int { return n.at[len(n.Layers)] }

// Outputs returns the number of output columns.
func (n *Net) Outputs() int { return n.widths[len(n.widths)-1] }

// Tensors lists the parameters in the order of the flat vector, named by the
// number of their layer among those that have any: "0.weight".
func (n *Net) Tensors() []Tensor { return n.tensors }

// Init returns initial parameters.
func (n *Net) Init(r *Rand) []float32 {
	p := make([]float32, n.Size())
	for i, l := range n.Layers {
		l.Init(p[n.at[i]:n.at[i+1]], r)
	}
	return p
}

// Workspace is the memory of one pass; not safe for concurrent use.
type Workspace struct {
	net  *Net
	pass Pass
	x    Matrix
	out  []Matrix // after each layer
	diff [2]Matrix
	Grad []float32 // of the parameters; Backward adds to it
}

// Workspace returns memory for passes through n. Grad is allocated by the
// first Backward.
func (n *Net) Workspace() *Workspace {
	return &Workspace{net: n, out: make([]Matrix, len(n.Layers))}
}

// Forward returns the outputs for the rows of x; they are valid until the next
// Forward. With train set, key and first, the number of x's first row within
// the minibatch, choose the dropout mask.
func (w *Workspace) Forward(p []float32, x Matrix, train bool, key uint64, first int) Matrix {
	n := w.net
	w.x = x
	w.pass.Train, w.pass.Key, w.pass.Row = train, key, first
	for i, l := range n.Layers {
		w.out[i] = w.out[i].resize(x.Rows, n.widths[i])
		w.pass.layer = i
		l.Forward(&w.pass, p[n.at[i]:n.at[i+1]], x, w.out[i])
		x = w.out[i]
	}
	return x
}

// ZeroGrad sets Grad to zeros.
func (w *Workspace) ZeroGrad() {
	if w.Grad == nil {
		w.Grad = make([]float32, w.net.Size())
		return
	}
	clear(w.Grad)
}

// Backward adds to Grad the gradient of a loss whose gradient by the outputs of
// the last Forward is dy. It overwrites dy.
func (w *Workspace) Backward(p []float32, dy Matrix) {
	n := w.net
	for i := len(n.Layers) - 1; i >= 0; i-- {
		x, dx := w.x, Matrix{}
		if i > 0 {
			x = w.out[i-1]
			w.diff[i&1] = w.diff[i&1].resize(x.Rows, x.Cols)
			dx = w.diff[i&1]
		}
		w.pass.layer = i
		lo, hi := n.at[i], n.at[i+1]
		n.Layers[i].Backward(&w.pass, p[lo:hi], w.Grad[lo:hi], x, w.out[i], dy, dx)
		dy = dx
	}
}
