package unit

import "strings"

// spelled are spellings of a unit as a whole, in lower case with single spaces,
// that no rule takes apart.
var spelled = map[string]string{
	"°c": "Cel", "℃": "Cel", "deg c": "Cel", "degc": "Cel", "deg. c": "Cel", "deg_c": "Cel", "degrees c": "Cel", "degree c": "Cel",
	"celsius": "Cel", "centigrade": "Cel", "degree celsius": "Cel", "degrees celsius": "Cel", "deg celsius": "Cel", "° c": "Cel", "ºc": "Cel", "cel": "Cel",
	"°f": "[degF]", "℉": "[degF]", "deg f": "[degF]", "degf": "[degF]", "degrees f": "[degF]", "fahrenheit": "[degF]", "degree fahrenheit": "[degF]",
	"degrees fahrenheit": "[degF]", "ºf": "[degF]", "[degf]": "[degF]",
	"°k": "K", "kelvin": "K", "kelvins": "K", "deg k": "K", "degk": "K",
	"°": "deg", "º": "deg", "deg": "deg", "degs": "deg", "degree": "deg", "degrees": "deg", "deg.": "deg", "decimal degrees": "deg", "degrees north": "deg",
	"degrees east": "deg", "degrees_north": "deg", "degrees_east": "deg", "deg from n": "deg", "deg from north": "deg", "degrees from north": "deg",
	"degrees true": "deg", "deg true": "deg", "deg n": "deg", "deg e": "deg", "degn": "deg", "dege": "deg", "°n": "deg", "°e": "deg", "°w": "deg",
	"arcmin": "'", "arcsec": "''",
	"%": "%", "percent": "%", "pct": "%", "per cent": "%", "％": "%",
	"o/oo": "[ppth]", "‰": "[ppth]", "per mil": "[ppth]", "permil": "[ppth]", "per mille": "[ppth]", "0/00": "[ppth]", "ppt": "[ppth]",
	"ppm": "[ppm]", "ppmv": "[ppm]", "ppb": "[ppb]", "ppbv": "[ppb]", "parts per million": "[ppm]", "parts per billion": "[ppb]",
	"unitless": "1", "dimensionless": "1", "-": "1", "1": "1", "none": "1", "no unit": "1", "n/a": "1", "tenths": "10*-1", "ratio": "1", "fraction": "1",
	"oktas": "/8", "rpm": "{rev}/min", "r/min": "{rev}/min", "rev/min": "{rev}/min", "1/min": "/min", "count": "{count}", "counts": "{count}",
	"mph": "[mi_i]/h", "kph": "km/h", "kmh": "km/h", "kmph": "km/h", "kn": "[kn_i]", "kt": "[kn_i]", "kts": "[kn_i]", "knot": "[kn_i]", "knots": "[kn_i]",
	"psi": "[psi]", "psia": "[psi]", "mmhg": "mm[Hg]", "mm hg": "mm[Hg]", "cm hg": "cm[Hg]", "cmhg": "cm[Hg]", "torr": "mm[Hg]", "inhg": "[in_i'Hg]", "in hg": "[in_i'Hg]",
	"cmh2o": "cm[H2O]", "mmh2o": "mm[H2O]", "cfm": "[ft_i]3/min", "lpm": "L/min", "gpm": "[gal_us]/min", "ph": "[pH]",
	"mols per litre": "mol/L", "mol per litre": "mol/L", "moles per litre": "mol/L", "meters per second": "m/s", "metres per second": "m/s",
	"watts per square meter": "W/m2", "watts per square metre": "W/m2",
	"w/m^2": "W/m2", "w/m2": "W/m2", "w/m²": "W/m2", "wm-2": "W/m2", "w m-2": "W/m2", "kw/m2": "kW/m2", "kpa": "kPa", "hpa": "hPa", "mpa": "MPa", "kv": "kV",
	"kw": "kW", "kwh": "kW.h", "kwhr": "kW.h", "hz": "Hz", "khz": "kHz", "ma": "mA", "mah": "mA.h", "ev": "eV", "kev": "keV", "db": "dB", "bq": "Bq", "vdc": "V", "vac": "V",
	"ug/m3": "ug/m3", "mcg": "ug", "cc": "cm3", "ccm": "cm3", "btu": "[Btu_IT]", "hp": "[HP]",
}

// wholeSpelling looks a spelling up whatever its case, where only one unit fits,
// for people who write everything in one case. Where the case decides (mPa and
// MPa), it must be as written.
func wholeSpelling(s string) (string, bool) {
	key := strings.ToLower(strings.Join(strings.Fields(s), " "))
	code, ok := spelled[key]
	if ok && decidedByCase[key] && s != key && s != code {
		return "", false
	}
	return code, ok
}

// decidedByCase are the keys of spelled that mean something else in another
// case.
var decidedByCase = map[string]bool{"mpa": true, "ma": true, "mah": true}

// factor is one UCUM atom and its exponent within a spelling.
type factor struct {
	code string
	exp  int
}

// words are spellings of single units, without prefix, that are not UCUM
// symbols themselves. Lower case; plurals are tried without their s.
var words = map[string]string{
	"metre": "m", "meter": "m", "gram": "g", "gramme": "g", "second": "s", "sec": "s", "minute": "min", "min": "min", "hour": "h", "hr": "h",
	"day": "d", "week": "wk", "month": "mo", "year": "a", "yr": "a", "amp": "A", "ampere": "A", "volt": "V", "watt": "W", "joule": "J", "ohm": "Ohm",
	"pascal": "Pa", "hertz": "Hz", "newton": "N", "tesla": "T", "gauss": "G", "lux": "lx", "lumen": "lm", "candela": "cd", "mole": "mol", "litre": "L",
	"liter": "L", "bar": "bar", "foot": "[ft_i]", "feet": "[ft_i]", "ft": "[ft_i]", "inch": "[in_i]", "inche": "[in_i]", "mile": "[mi_i]", "mi": "[mi_i]",
	"yard": "[yd_i]", "pound": "[lb_av]", "lb": "[lb_av]", "ounce": "[oz_av]", "oz": "[oz_av]", "gallon": "[gal_us]", "gal": "[gal_us]", "radian": "rad",
	"degree": "deg", "deg": "deg", "tonne": "t", "ton": "t", "hectare": "har", "ha": "har", "calorie": "cal", "cal": "cal", "micron": "um", "angstrom": "Ao", "å": "Ao",
	"coulomb": "C", "farad": "F", "siemen": "S", "henry": "H", "becquerel": "Bq", "gray": "Gy", "sievert": "Sv", "dalton": "u", "da": "u", "amu": "u",
	"atm": "atm", "atmosphere": "atm", "electronvolt": "eV", "percent": "%", "mil": "[ppth]", "pp": "1", "kilogram": "kg", "millimeter": "mm", "millimetre": "mm",
	"centimeter": "cm", "centimetre": "cm", "kilometer": "km", "kilometre": "km", "nanometer": "nm", "nanometre": "nm", "micrometer": "um", "micrometre": "um",
	"milliliter": "mL", "millilitre": "mL", "microliter": "uL", "microlitre": "uL", "kilowatt": "kW", "megawatt": "MW", "millibar": "mbar", "millivolt": "mV", "kilovolt": "kV",
	"milliamp": "mA", "millisecond": "ms", "microsecond": "us", "milligram": "mg", "microgram": "ug", "kilopascal": "kPa", "megapascal": "MPa", "gigapascal": "GPa",
	"hectopascal": "hPa", "kilojoule": "kJ", "megajoule": "MJ", "pct": "%",
}

// symbols are case-sensitive spellings that stand for products.
var symbols = map[string][]factor{
	"M":   {{"mol", 1}, {"L", -1}},
	"mM":  {{"mmol", 1}, {"L", -1}},
	"uM":  {{"umol", 1}, {"L", -1}},
	"nM":  {{"nmol", 1}, {"L", -1}},
	"pM":  {{"pmol", 1}, {"L", -1}},
	"Wh":  {{"W", 1}, {"h", 1}},
	"Ah":  {{"A", 1}, {"h", 1}},
	"VA":  {{"V", 1}, {"A", 1}},
	"var": {{"V", 1}, {"A", 1}},
	"Whr": {{"W", 1}, {"h", 1}},
	"Ahr": {{"A", 1}, {"h", 1}},
	"Nm":  {{"N", 1}, {"m", 1}},
	"VDC": {{"V", 1}}, "VAC": {{"V", 1}}, "Vdc": {{"V", 1}}, "Vac": {{"V", 1}},
	"Ω": {{"Ohm", 1}}, "\u2126": {{"Ohm", 1}}, "ohm": {{"Ohm", 1}}, "ohms": {{"Ohm", 1}}, "Ohms": {{"Ohm", 1}},
	"Å": {{"Ao", 1}}, "\u212b": {{"Ao", 1}}, "°": {{"deg", 1}}, "°C": {{"K", 1}}, "degC": {{"K", 1}},
	"Bar": {{"bar", 1}}, "BAR": {{"bar", 1}}, "Sec": {{"s", 1}}, "hrs": {{"h", 1}}, "l": {{"L", 1}},
	"sqft": {{"[ft_i]", 2}}, "sqm": {{"m", 2}},
	"ppm": {{"[ppm]", 1}}, "ppb": {{"[ppb]", 1}}, "cells": {{"{cells}", 1}}, "counts": {{"{count}", 1}},
}

// Parse returns the UCUM code of a unit as a laboratory spells it. What cannot
// be read with certainty is not a unit.
func Parse(spelling string) (ucum string, ok bool) {
	s := normalise(spelling)
	if s == "" || len(s) > maxCode {
		return "", false
	}
	if s == "C" { // coulomb is read from its context: ParseFor
		return "Cel", true
	}
	if fs, ok := expression(s); ok && !ambiguousAlone[s] {
		if _, named := wholeSpelling(s); !named {
			if code := canonical(fs); Valid(code) {
				return code, true
			}
		}
	}
	if code, ok := wholeSpelling(s); ok {
		return code, true
	}
	if Valid(s) && strings.ContainsAny(s, "[]*{") {
		return s, true
	}
	return "", false
}

// ambiguousAlone are letters that are too likely something else when they
// stand alone: a column's letter, a code, a year.
var ambiguousAlone = map[string]bool{"a": true, "B": true, "u": true, "st": true, "ar": true, "t": true, "'": true, "''": true, "H": true, "G": true, "har": true}

// ParseFor is Parse for a spelling found with a column called name, which
// decides between readings: "C" is coulomb for a charge and degrees Celsius
// else, "F" and "c" are degrees only for a temperature.
func ParseFor(spelling, name string) (ucum string, ok bool) {
	s := normalise(spelling)
	switch s {
	case "C":
		if chargeLike(name) {
			return "C", true
		}
		return "Cel", true
	case "c":
		return "Cel", temperatureLike(name)
	case "F", "f":
		if temperatureLike(name) {
			return "[degF]", true
		}
		return "F", s == "F"
	case "K":
		return "K", true
	}
	return Parse(s)
}

// ParseLike is Parse for a unit written inside a cell of a column whose unit is
// like, or "" if unknown.
func ParseLike(spelling, like string) (ucum string, ok bool) {
	s := normalise(spelling)
	if like != "" && Commensurable(like, "K") {
		switch s {
		case "F", "f":
			return "[degF]", true
		case "C", "c":
			return "Cel", true
		}
	}
	if s == "C" && like != "" {
		return "C", Commensurable(like, "C")
	}
	code, ok := Parse(s)
	if !ok || like != "" && !Commensurable(code, like) {
		return "", false
	}
	return code, true
}

func temperatureLike(name string) bool {
	n := strings.ToLower(name)
	for _, w := range []string{"temp", "bulb", "dew", "therm", "tair", "°", "tmax", "tmin", "tavg", "chill", "heat index", "t2m", "sst"} {
		if strings.Contains(n, w) {
			return true
		}
	}
	return n == "t" || strings.HasPrefix(n, "t_") || strings.HasPrefix(n, "t ")
}

func chargeLike(name string) bool {
	return strings.Contains(name, "Q") || strings.Contains(strings.ToLower(name), "charge") || strings.Contains(strings.ToLower(name), "coulomb")
}

// normalise writes the many characters for one thing as one.
var characters = strings.NewReplacer(
	"µ", "u", "μ", "u", "²", "^2", "³", "^3", "⁻¹", "^-1", "⁻²", "^-2", "⁻³", "^-3", "¹", "^1", "⁻", "^-",
	"·", ".", "⋅", ".", "•", ".", "×", ".", "−", "-", "–", "-", "⁄", "/", "∕", "/", "**", "^", "\u00a0", " ", "\u2009", " ", "\u202f", " ",
)

func normalise(s string) string {
	if len(s) > maxCode {
		return ""
	}
	return strings.TrimSpace(characters.Replace(s))
}
