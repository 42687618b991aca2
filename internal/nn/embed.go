package nn

import "math"

// Embed turns raw features into a net's input. Of its input's columns the
// first Dense are numbers and the rest are codes of the Categories, whole
// numbers from 0 below the category's Size. Its output is, in this order:
//
//   - the numbers themselves;
//   - for each column in Periodic, Width learned features
//     ReLU(W·[sin 2πc₁x, cos 2πc₁x, …] + b) with one W, b for all columns and
//     frequencies c of its own: "PLR(lite)" of Gorishniy et al., On Embeddings
//     for Numerical Features in Tabular Deep Learning, 2022;
//   - for each category a learned vector of its Width.
type Embed struct {
	Dense       int
	Periodic    []int
	Frequencies int     // per column
	Width       int     // of a periodic embedding
	Sigma       float64 // of the initial frequencies
	Categories  []Category
}

// Category is a categorical input: how many codes it has and how many
// features each becomes.
type Category struct{ Size, Width int }

func (e Embed) lin() Linear {
	return Linear{Inputs: 2 * e.Frequencies, Outputs: e.Width, Gain: math.Sqrt2}
}

// In returns the number of input columns.
func (e Embed) In() int { return e.Dense + len(e.Categories) }

func (e Embed) Out(int) int {
	n := e.Dense + len(e.Periodic)*e.Width
	for _, c := range e.Categories {
		n += c.Width
	}
	return n
}

func (e Embed) Tensors() []Tensor {
	var ts []Tensor
	if len(e.Periodic) > 0 {
		ts = append(ts, Tensor{"frequency", []int{len(e.Periodic), e.Frequencies}, false})
		for _, t := range e.lin().Tensors() {
			t.Name = "periodic." + t.Name
			ts = append(ts, t)
		}
	}
	for i, c := range e.Categories {
		ts = append(ts, Tensor{"category." + itoa(i), []int{c.Size, c.Width}, false})
	}
	return ts
}

func (e Embed) Init(p []float32, r *Rand) {
	freq, lin, cats := e.split(p)
	for i := range freq {
		freq[i] = float32(e.Sigma * r.Normal())
	}
	if len(e.Periodic) > 0 {
		e.lin().Init(lin, r)
	}
	at := 0
	for _, c := range e.Categories {
		for i := range c.Size * c.Width {
			cats[at+i] = float32(r.Normal() / math.Sqrt(float64(c.Width)))
		}
		at += c.Size * c.Width
	}
}

func (e Embed) split(p []float32) (freq, lin, cats []float32) {
	if len(e.Periodic) == 0 {
		return nil, nil, p
	}
	f := len(e.Periodic) * e.Frequencies
	l := f + e.Width*(2*e.Frequencies+1)
	return p[:f], p[f:l], p[l:]
}

func (e Embed) Forward(c *Pass, p []float32, x, y Matrix) {
	freq, lin, cats := e.split(p)
	for i := range x.Rows {
		copy(y.Row(i)[:e.Dense], x.Row(i)[:e.Dense])
	}
	at := e.Dense
	if len(e.Periodic) > 0 {
		c.aux[0] = e.waves(c.aux[0], freq, x)
		c.aux[1] = c.aux[1].resize(x.Rows*len(e.Periodic), e.Width)
		e.lin().Forward(c, lin, c.aux[0], c.aux[1])
		width := len(e.Periodic) * e.Width
		for i := range x.Rows {
			out := y.Row(i)[at : at+width]
			for j, v := range c.aux[1].Data[i*width : (i+1)*width] {
				out[j] = max(v, 0)
			}
		}
		at += width
	}
	for k, cat := range e.Categories {
		for i := range x.Rows {
			code := int(x.Row(i)[e.Dense+k])
			copy(y.Row(i)[at:at+cat.Width], cats[code*cat.Width:(code+1)*cat.Width])
		}
		at += cat.Width
		cats = cats[cat.Size*cat.Width:]
	}
}

// waves returns sines and cosines, one row per row of x and periodic column.
func (e Embed) waves(m Matrix, freq []float32, x Matrix) Matrix {
	m = m.resize(x.Rows*len(e.Periodic), 2*e.Frequencies)
	for i := range x.Rows {
		row := x.Row(i)
		for k, col := range e.Periodic {
			out := m.Row(i*len(e.Periodic) + k)
			v := row[col]
			for f, c := range freq[k*e.Frequencies : (k+1)*e.Frequencies] {
				out[2*f], out[2*f+1] = turn(c * v)
			}
		}
	}
	return m
}

func (e Embed) Backward(c *Pass, p, g []float32, x, y, dy, dx Matrix) {
	freq, lin, _ := e.split(p)
	gFreq, gLin, gCats := e.split(g)
	at := e.Dense
	if len(e.Periodic) > 0 {
		e.backwardPeriodic(c, freq, lin, gFreq, gLin, x, y, dy)
		at += len(e.Periodic) * e.Width
	}
	for k, cat := range e.Categories {
		for i := range x.Rows {
			code := int(x.Row(i)[e.Dense+k])
			into := gCats[code*cat.Width : (code+1)*cat.Width]
			for j, d := range dy.Row(i)[at : at+cat.Width] {
				into[j] += d
			}
		}
		at += cat.Width
		gCats = gCats[cat.Size*cat.Width:]
	}
	// The raw features are nobody's output: dx stays unset.
}

func (e Embed) backwardPeriodic(c *Pass, freq, lin, gFreq, gLin []float32, x, y, dy Matrix) {
	width := len(e.Periodic) * e.Width
	c.aux[0] = e.waves(c.aux[0], freq, x)
	c.aux[1] = c.aux[1].resize(x.Rows*len(e.Periodic), e.Width)
	for i := range x.Rows {
		out := c.aux[1].Data[i*width : (i+1)*width]
		from, live := dy.Row(i)[e.Dense:e.Dense+width], y.Row(i)[e.Dense:e.Dense+width]
		for j, d := range from {
			if live[j] <= 0 {
				d = 0
			}
			out[j] = d
		}
	}
	c.aux[2] = c.aux[2].resize(c.aux[0].Rows, c.aux[0].Cols)
	e.lin().Backward(c, lin, gLin, c.aux[0], c.aux[1], c.aux[1], c.aux[2])
	for i := range x.Rows {
		for k, col := range e.Periodic {
			r := i*len(e.Periodic) + k
			w, d := c.aux[0].Row(r), c.aux[2].Row(r)
			slope := 2 * math.Pi * x.Row(i)[col]
			into := gFreq[k*e.Frequencies : (k+1)*e.Frequencies]
			for f := range into {
				into[f] += slope * (d[2*f]*w[2*f+1] - d[2*f+1]*w[2*f])
			}
		}
	}
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + string(rune('0'+i%10))
}
