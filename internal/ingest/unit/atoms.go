package unit

import "math"

// dims are the exponents of m, g, s, rad, K, C (coulomb), cd, mol.
type dims [8]int8

// atom is one UCUM unit atom: its size in base units, its dimension, whether
// metric prefixes apply, and for scales with an offset the value of their zero
// in base units.
type atom struct {
	factor float64
	dim    dims
	metric bool
	zero   float64
}

const (
	metre = iota
	gram
	second
	radian
	kelvin
	coulomb
	candela
	mole
)

func dim(pairs ...int8) (d dims) {
	for i := 0; i+1 < len(pairs); i += 2 {
		d[pairs[i]] = pairs[i+1]
	}
	return d
}

var (
	none     = dims{}
	length   = dim(metre, 1)
	mass     = dim(gram, 1)
	duration = dim(second, 1)
	angle    = dim(radian, 1)
	temp     = dim(kelvin, 1)
	charge   = dim(coulomb, 1)
	energy   = dim(gram, 1, metre, 2, second, -2)
	power    = dim(gram, 1, metre, 2, second, -3)
	force    = dim(gram, 1, metre, 1, second, -2)
	pressure = dim(gram, 1, metre, -1, second, -2)
	current  = dim(coulomb, 1, second, -1)
	voltage  = dim(gram, 1, metre, 2, second, -2, coulomb, -1)
	volume   = dim(metre, 3)
	speed    = dim(metre, 1, second, -1)
	perTime  = dim(second, -1)
)

// atoms is the table of UCUM atoms, by case-sensitive code.
var atoms = map[string]atom{
	"m":   {1, length, true, 0},
	"g":   {1, mass, true, 0},
	"s":   {1, duration, true, 0},
	"rad": {1, angle, true, 0},
	"K":   {1, temp, true, 0},
	"C":   {1, charge, true, 0},
	"cd":  {1, dim(candela, 1), true, 0},
	"mol": {1, dim(mole, 1), true, 0},

	"%":      {1e-2, none, false, 0},
	"[ppth]": {1e-3, none, false, 0},
	"[ppm]":  {1e-6, none, false, 0},
	"[ppb]":  {1e-9, none, false, 0},
	"[pptr]": {1e-12, none, false, 0},
	"[pH]":   {1, none, false, 0},
	"10*":    {10, none, false, 0},
	"10^":    {10, none, false, 0},
	"B":      {1, none, true, 0},

	"Cel":    {1, temp, true, 273.15},
	"[degF]": {5.0 / 9, temp, false, 459.67 * 5 / 9},

	"Hz":  {1, perTime, true, 0},
	"N":   {1e3, force, true, 0},
	"Pa":  {1e3, pressure, true, 0},
	"J":   {1e3, energy, true, 0},
	"W":   {1e3, power, true, 0},
	"A":   {1, current, true, 0},
	"V":   {1e3, voltage, true, 0},
	"F":   {1e-3, dim(gram, -1, metre, -2, second, 2, coulomb, 2), true, 0},
	"Ohm": {1e3, dim(gram, 1, metre, 2, second, -1, coulomb, -2), true, 0},
	"S":   {1e-3, dim(gram, -1, metre, -2, second, 1, coulomb, 2), true, 0},
	"Wb":  {1e3, dim(gram, 1, metre, 2, second, -1, coulomb, -1), true, 0},
	"T":   {1e3, dim(gram, 1, second, -1, coulomb, -1), true, 0},
	"H":   {1e3, dim(gram, 1, metre, 2, coulomb, -2), true, 0},
	"lm":  {1, dim(candela, 1, radian, 2), true, 0},
	"lx":  {1, dim(candela, 1, radian, 2, metre, -2), true, 0},
	"Bq":  {1, perTime, true, 0},
	"Gy":  {1, dim(metre, 2, second, -2), true, 0},
	"Sv":  {1, dim(metre, 2, second, -2), true, 0},
	"kat": {1, dim(mole, 1, second, -1), true, 0},
	"sr":  {1, dim(radian, 2), true, 0},

	"deg": {math.Pi / 180, angle, false, 0},
	"'":   {math.Pi / 10800, angle, false, 0},
	"''":  {math.Pi / 648000, angle, false, 0},

	"l":   {1e-3, volume, true, 0},
	"L":   {1e-3, volume, true, 0},
	"ar":  {100, dim(metre, 2), true, 0},
	"har": {1e4, dim(metre, 2), false, 0},
	"min": {60, duration, false, 0},
	"h":   {3600, duration, false, 0},
	"d":   {86400, duration, false, 0},
	"wk":  {7 * 86400, duration, false, 0},
	"mo":  {30.4375 * 86400, duration, false, 0},
	"a":   {365.25 * 86400, duration, false, 0},
	"t":   {1e6, mass, true, 0},
	"bar": {1e8, pressure, true, 0},
	"u":   {1.66053906660e-24, mass, true, 0},
	"eV":  {1.602176634e-16, energy, true, 0},
	"Ao":  {1e-10, length, false, 0},
	"atm": {101325e3, pressure, false, 0},
	"G":   {1e-1, dim(gram, 1, second, -1, coulomb, -1), true, 0},
	"cal": {4184, energy, true, 0},
	"st":  {1, volume, true, 0},

	"m[Hg]":     {133.322387415e6, pressure, true, 0},
	"m[H2O]":    {9.80665e6, pressure, true, 0},
	"[in_i'Hg]": {133.322387415e6 * 0.0254, pressure, false, 0},
	"[psi]":     {6894.757293168e3, pressure, false, 0},
	"[in_i]":    {0.0254, length, false, 0},
	"[ft_i]":    {0.3048, length, false, 0},
	"[yd_i]":    {0.9144, length, false, 0},
	"[mi_i]":    {1609.344, length, false, 0},
	"[nmi_i]":   {1852, length, false, 0},
	"[kn_i]":    {1852.0 / 3600, speed, false, 0},
	"[lb_av]":   {453.59237, mass, false, 0},
	"[oz_av]":   {28.349523125, mass, false, 0},
	"[gal_us]":  {231 * 0.0254 * 0.0254 * 0.0254, volume, false, 0},
	"[Btu_IT]":  {1055.05585262e3, energy, false, 0},
	"[HP]":      {745.69987158227022e3, power, false, 0},
	"[g]":       {9.80665, dim(metre, 1, second, -2), false, 0},
}

// prefixes are UCUM's metric prefixes.
var prefixes = map[string]float64{
	"Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1,
	"d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18,
}

// lookup finds the atom of a code, with or without a prefix.
func lookup(code string) (atom, bool) {
	if a, ok := atoms[code]; ok {
		return a, true
	}
	for n := 1; n <= 2 && n < len(code); n++ {
		p, ok := prefixes[code[:n]]
		if !ok {
			continue
		}
		if a, ok := atoms[code[n:]]; ok && a.metric {
			a.factor *= p
			return a, true
		}
	}
	return atom{}, false
}
