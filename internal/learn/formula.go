package learn

import (
	"math"
	"slices"
	"strings"

	"github.com/opengenesis/genesis/internal/format"
)

// symbols of the elements by atomic number, from 1 (IUPAC).
var symbols = strings.Fields(`
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn
Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La
Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po
At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg
Cn Nh Fl Mc Lv Ts Og`)

var atomicNumber = func() map[string]int {
	m := map[string]int{}
	for k, s := range symbols {
		m[s] = k + 1
	}
	return m
}()

// composition is the amounts of elements in a formula, by atomic number.
type composition map[int]float64

// parseFormula reads a formula such as Ce2K1Mn1, Ca(OH)2 or La0.5Sr0.5MnO3:
// elements, decimal amounts, nested brackets. It reports false for anything
// else.
func parseFormula(s string) (composition, bool) {
	if len(s) > 1000 {
		return nil, false
	}
	p := formulaParser{s: s}
	c, ok := p.group(0)
	return c, ok && p.at == len(s) && len(c) > 0
}

type formulaParser struct {
	s  string
	at int
}

func (p *formulaParser) group(depth int) (composition, bool) {
	c := composition{}
	for p.at < len(p.s) && depth < 8 {
		switch b := p.s[p.at]; {
		case b == ' ':
			p.at++
		case b == '(' || b == '[':
			p.at++
			inner, ok := p.group(depth + 1)
			if !ok || p.at >= len(p.s) || p.s[p.at] != b+1+b>>6 {
				return nil, false
			}
			p.at++
			n := p.amount()
			for z, x := range inner {
				c[z] += n * x
			}
		case b >= 'A' && b <= 'Z':
			z := p.element()
			if z == 0 {
				return nil, false
			}
			c[z] += p.amount()
		default:
			return c, depth > 0
		}
	}
	return c, depth < 8
}

func (p *formulaParser) element() int {
	if p.at+1 < len(p.s) {
		if z := atomicNumber[p.s[p.at:p.at+2]]; z != 0 {
			p.at += 2
			return z
		}
	}
	z := atomicNumber[p.s[p.at:p.at+1]]
	p.at++
	return z
}

// amount reads a decimal number; 1 when there is none.
func (p *formulaParser) amount() float64 {
	n, scale, digits := 0.0, 0.0, 0
	for ; p.at < len(p.s); p.at++ {
		switch b := p.s[p.at]; {
		case b >= '0' && b <= '9' && digits < 12:
			digits++
			if scale > 0 {
				n += float64(b-'0') * scale
				scale /= 10
				continue
			}
			n = 10*n + float64(b-'0')
		case b == '.' && scale == 0:
			scale = 0.1
		default:
			return amountOr1(n, digits)
		}
	}
	return amountOr1(n, digits)
}

func amountOr1(n float64, digits int) float64 {
	if digits == 0 {
		return 1
	}
	return n
}

// period and group of the element with atomic number z in the long form of the
// periodic table; the f-block counts as group 3.
func position(z int) (period, group float64) {
	noble := []int{0, 2, 10, 18, 36, 54, 86, 118}
	k := 1
	for z > noble[k] {
		k++
	}
	into, length := z-noble[k-1], noble[k]-noble[k-1]
	switch {
	case into <= 2 && !(z == 2):
		return float64(k), float64(into)
	case z == 2:
		return 1, 18
	case length == 32 && into <= 17:
		return float64(k), 3
	}
	return float64(k), float64(18 - (length - into))
}

// properties of an element that composition statistics are taken of.
func properties(z int) [4]float64 {
	period, group := position(z)
	return [4]float64{float64(z), period, group, orbital(z)}
}

// orbital is the angular momentum of the outer block: s 0, p 1, d 2, f 3.
func orbital(z int) float64 {
	_, g := position(z)
	switch {
	case (z >= 57 && z <= 70) || (z >= 89 && z <= 102):
		return 3
	case z == 2 || g <= 2:
		return 0
	case g <= 12:
		return 2
	}
	return 1
}

// Statistics of a composition: mean, deviation, least and greatest of each
// property, number of elements, entropy, and whether it could not be read.
const formulaStats = 4*4 + 3

func (f *feature) formulaWidth() int { return len(f.Elements) + formulaStats }

func (f *feature) fitFormula(v *format.Vector, rows []int, least int) (*feature, string) {
	f.Kind = kindFormula
	counts := map[int]int{}
	read := 0
	for _, i := range rows {
		s, _ := label(v, i)
		c, ok := parseFormula(s)
		if !ok {
			continue
		}
		read++
		for z := range c {
			counts[z]++
		}
	}
	if read < (len(rows)+1)/2 {
		return nil, "fewer than half of its values can be read as chemical formulas"
	}
	f.Missing = some(len(rows)-read, least)
	for z, n := range counts {
		if n > 1 && n >= least {
			f.Elements = append(f.Elements, z)
		}
	}
	slices.Sort(f.Elements)
	return f, ""
}

// encodeFormula writes square roots of the element fractions, which spread
// small amounts, and the composition's statistics.
func (f *feature) encodeFormula(v *format.Vector, i int, out []float32) {
	s, _ := label(v, i)
	c, ok := parseFormula(s)
	if !ok {
		out[len(out)-1] = 1
		return
	}
	zs := make([]int, 0, len(c))
	total := 0.0
	for z := range c {
		zs = append(zs, z)
	}
	slices.Sort(zs)
	for _, z := range zs {
		total += c[z]
	}
	if total <= 0 {
		out[len(out)-1] = 1
		return
	}
	for _, z := range zs {
		if k, found := slices.BinarySearch(f.Elements, z); found {
			out[k] = float32(2 * math.Sqrt(c[z]/total))
		}
	}
	writeStats(c, zs, total, out[len(f.Elements):])
}

// Typical mean and spread of the properties, to bring them to about unit scale.
var propertyScale = [4][2]float64{{35, 22}, {4.3, 1.3}, {9, 5.5}, {1.5, 0.9}}

func writeStats(c composition, zs []int, total float64, out []float32) {
	entropy := 0.0
	var sum, square, low, high [4]float64
	for n, z := range zs {
		w := c[z] / total
		if w > 0 {
			entropy -= w * math.Log(w)
		}
		for k, x := range properties(z) {
			x = (x - propertyScale[k][0]) / propertyScale[k][1]
			sum[k] += w * x
			square[k] += w * x * x
			if n == 0 {
				low[k], high[k] = x, x
			}
			low[k], high[k] = min(low[k], x), max(high[k], x)
		}
	}
	for k := range sum {
		sd := math.Sqrt(max(square[k]-sum[k]*sum[k], 0))
		for j, x := range []float64{sum[k], 2 * (sd - 0.5), low[k], high[k]} {
			out[4*k+j] = float32(x)
		}
	}
	out[16] = float32(len(zs) - 3)
	out[17] = float32(2 * (entropy - 1))
	out[18] = 0
}
