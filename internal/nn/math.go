package nn

import "math"

// turn returns sin 2πu and cos 2πu to about 1e-6: u is reduced to [−½, ½] and
// both are computed by Taylor polynomials around the nearest quarter turn.
func turn(u float32) (sin, cos float32) {
	const big = 1.5 * (1 << 23) // adding it rounds to an integer
	if u > 1<<20 || u < -(1<<20) || u != u {
		s, c := math.Sincos(2 * math.Pi * math.Mod(float64(u), 1))
		return float32(s), float32(c)
	}
	q4 := (4*u + big) - big // quarter turns, rounded
	quarter := int32(q4)
	r := (u - q4*0.25) * (2 * math.Pi) // within ±π/4
	r2 := r * r
	s := r * (1 + r2*(-1.0/6+r2*(1.0/120+r2*(-1.0/5040+r2*(1.0/362880)))))
	c := 1 + r2*(-0.5+r2*(1.0/24+r2*(-1.0/720+r2*(1.0/40320))))
	switch quarter & 3 {
	case 0:
		return s, c
	case 1:
		return c, -s
	case 2:
		return -s, -c
	}
	return -c, s
}

// exp returns eˣ to a relative error of about 2e-7; it saturates at e^±87.
func exp(x float32) float32 {
	if x > 87 {
		x = 87
	}
	if x < -87 {
		x = -87
	}
	const big = 1.5 * (1 << 23)
	k := (x*math.Log2E + big) - big
	r := x - k*0.693359375
	r -= k * -2.12194440e-4
	p := 1 + r*(1+r*(0.5+r*(1.0/6+r*(1.0/24+r*(1.0/120+r*(1.0/720))))))
	return p * math.Float32frombits(uint32(int32(k)+127)<<23)
}

func sigmoid(x float32) float32 { return 1 / (1 + exp(-x)) }

func tanh(x float32) float32 { return 2*sigmoid(2*x) - 1 }

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
