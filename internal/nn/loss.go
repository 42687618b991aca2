package nn

import "math"

// Task is what a [Head] predicts.
type Task string

const (
	Regression Task = "regression" // two outputs: mean and log variance
	Binary     Task = "binary"     // one output: the logit of class 1
	Multiclass Task = "multiclass" // one logit per class
)

// Head is a group of consecutive outputs that predict one target.
type Head struct {
	Task    Task
	At      int // first output column
	Classes int // Multiclass
	// Beta weighs each row's Gaussian likelihood by the predicted variance to
	// this power (Seitzer et al., On the Pitfalls of Heteroscedastic
	// Uncertainty Estimation, 2022): 0 is the likelihood, 1 fits the mean as
	// least squares do.
	Beta float64
}

// Width returns the number of the head's outputs.
func (h Head) Width() int {
	switch h.Task {
	case Regression:
		return 2
	case Multiclass:
		return h.Classes
	}
	return 1
}

// maxLogVar bounds the log variance of standardised targets.
const maxLogVar = 10

// Loss returns the weighted sum of the heads' losses over the rows of out, and
// writes its gradient to dout. Column h of y is head h's target (a class is
// its number), NaN where there is none; weight may be nil. Both are divided by
// norm.
func Loss(heads []Head, out, y Matrix, weight []float32, norm float64, dout Matrix) float64 {
	clear(dout.Data)
	total := 0.0
	for i := range out.Rows {
		w := float32(1 / norm)
		if weight != nil {
			w *= weight[i]
		}
		o, d, t := out.Row(i), dout.Row(i), y.Row(i)
		for k, h := range heads {
			if t[k] != t[k] {
				continue
			}
			total += float64(w) * h.row(o[h.At:h.At+h.Width()], d[h.At:h.At+h.Width()], t[k], w)
		}
	}
	return total
}

// row returns one row's loss and writes w times its gradient.
func (h Head) row(o, d []float32, y, w float32) float64 {
	switch h.Task {
	case Regression:
		return h.gaussian(o, d, y, w)
	case Binary:
		p := sigmoid(o[0])
		d[0] = w * (p - y)
		return logistic(float64(o[0]), float64(y))
	}
	return softmaxLoss(o, d, int(y), w)
}

func (h Head) gaussian(o, d []float32, y, w float32) float64 {
	s := min(max(o[1], -maxLogVar), maxLogVar)
	r := o[0] - y
	scale := exp(float32(h.Beta) * s)
	inv := exp(-s)
	d[0] = w * scale * inv * r
	d[1] = w * scale * 0.5 * (1 - r*r*inv)
	if s != o[1] {
		// Out of bounds the gradient only leads back inside.
		if (s > 0) != (d[1] > 0) {
			d[1] = 0
		}
	}
	return 0.5 * float64(scale) * (float64(s) + float64(r)*float64(r)*float64(inv))
}

// logistic is the cross-entropy of logit z and class y, stable for any z.
func logistic(z, y float64) float64 {
	return max(z, 0) - z*y + math.Log1p(math.Exp(-math.Abs(z)))
}

func softmaxLoss(o, d []float32, y int, w float32) float64 {
	Softmax(o, d)
	loss := -math.Log(max(float64(d[y]), 1e-30))
	for j := range d {
		d[j] *= w
	}
	d[y] -= w
	return loss
}

// Softmax writes the probabilities of logits o to p.
func Softmax(o, p []float32) {
	top := o[0]
	for _, v := range o {
		top = max(top, v)
	}
	var sum float32
	for j, v := range o {
		p[j] = exp(v - top)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
}

// Probability returns σ(z).
func Probability(z float32) float32 { return sigmoid(z) }

// Variance returns the variance that output s of a regression head stands for.
func Variance(s float32) float32 { return exp(min(max(s, -maxLogVar), maxLogVar)) }

// Score returns the sum over rows and heads of what a reader of a training
// curve wants to see, squared error of the mean or cross-entropy, and the sum
// of the weights it was taken with.
func Score(heads []Head, out, y Matrix, weight []float32) (sum, n float64) {
	d := make([]float32, out.Cols)
	for i := range out.Rows {
		w := 1.0
		if weight != nil {
			w = float64(weight[i])
		}
		o, t := out.Row(i), y.Row(i)
		for k, h := range heads {
			if t[k] != t[k] {
				continue
			}
			n += w
			if h.Task == Regression {
				r := float64(o[h.At] - t[k])
				sum += w * r * r
				continue
			}
			sum += w * h.row(o[h.At:h.At+h.Width()], d[h.At:h.At+h.Width()], t[k], 1)
		}
	}
	return sum, n
}

// Add adds x to sum.
func Add(sum, x []float32) {
	x = x[:len(sum)]
	for i, v := range x {
		sum[i] += v
	}
}
