package text

import (
	"bytes"
	"strings"
)

// class is what a cell looks like, for telling headers from data. Deciding what
// a column holds is not done here.
type class uint8

const (
	emptyCell class = iota
	missingCell
	numberCell
	timeCell
	wordCell
)

// missingWords are spellings that say "no value" often enough not to count
// against a column of numbers.
var missingWords = map[string]bool{
	"na": true, "n/a": true, "nan": true, "null": true, "none": true, "nil": true, "-": true, "--": true, "---": true,
	".": true, "?": true, "*": true, "missing": true, "nd": true, "n.d.": true, "#n/a": true, "#div/0!": true,
	"#value!": true, "#ref!": true, "#null!": true, "#name?": true, "#num!": true, "inf": true, "-inf": true, "+inf": true,
}

// classify says what a cell looks like.
func classify(b []byte) class {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return emptyCell
	}
	if len(b) <= 8 && missingWords[strings.ToLower(string(b))] {
		return missingCell
	}
	if len(b) > 64 {
		return wordCell
	}
	if rest, ok := number(b); ok && unitTail(rest) {
		return numberCell
	}
	if timeLike(b) {
		return timeCell
	}
	return wordCell
}

// number reads a number at the beginning of b, with a qualifier before it and
// any decimal mark and separators of thousands, and returns what follows it.
func number(b []byte) ([]byte, bool) {
	for _, q := range []string{"<=", ">=", "≤", "≥", "<", ">", "~", "±"} {
		if bytes.HasPrefix(b, []byte(q)) {
			b = bytes.TrimLeft(b[len(q):], " ")
			break
		}
	}
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	i, digits := 0, 0
	for ; i < len(b); i++ {
		if b[i] >= '0' && b[i] <= '9' {
			digits++
		} else if b[i] != '.' && b[i] != ',' && b[i] != '\'' && b[i] != '_' {
			break
		}
	}
	if digits == 0 {
		return b, false
	}
	return exponent(b[i:]), true
}

// exponent skips e+05, D-3 and the like.
func exponent(b []byte) []byte {
	if len(b) < 2 || !strings.ContainsRune("eEdD", rune(b[0])) {
		return b
	}
	i := 1
	if b[i] == '-' || b[i] == '+' {
		i++
	}
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == start {
		return b
	}
	return b[i:]
}

// unitTail reports whether what follows a number may be its unit, or nothing.
func unitTail(b []byte) bool {
	tail := bytes.TrimSpace(b)
	if len(tail) == 0 {
		return true
	}
	return len(tail) <= 12 && !bytes.ContainsAny(tail, "0123456789") && unitLike(tail)
}

// timeLike reports whether b looks like a date or a time of day.
func timeLike(b []byte) bool {
	if len(b) > 40 {
		return false
	}
	digits, seps, letters := 0, 0, 0
	for _, x := range b {
		switch {
		case x >= '0' && x <= '9':
			digits++
		case x == '-' || x == '/' || x == ':':
			seps++
		case x == '.' || x == ' ' || x == ',' || x == '+':
		case x >= 'A' && x <= 'Z' || x >= 'a' && x <= 'z':
			letters++
		default:
			return false
		}
	}
	first := b[0] >= '0' && b[0] <= '9'
	switch {
	case digits < 3:
		return false
	case letters == 0:
		return first && (seps > 0 || bytes.Count(b, []byte{'.'}) == 2 && digits >= 6)
	case letters <= 3 && first && seps > 0:
		return bytes.ContainsAny(b, "TZ") || timeSuffix(b)
	}
	return monthName(b) && letters <= 11
}

// timeSuffix reports whether b ends in AM, PM or UTC.
func timeSuffix(b []byte) bool {
	s := strings.ToUpper(string(b))
	return strings.HasSuffix(s, "AM") || strings.HasSuffix(s, "PM") || strings.HasSuffix(s, "UTC")
}

func monthName(b []byte) bool {
	s := strings.ToLower(string(b))
	for _, m := range []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"} {
		if strings.Contains(s, m) {
			return true
		}
	}
	return false
}

// unitWords are the unit symbols that make a row a row of units. The table of
// units proper is internal/ingest/unit; here it is enough to recognise a row.
var unitWords = wordSet(`m mm cm km nm um µm μm Å A s sec ms us µs ns min h hr hrs hour hours d day days yr year a
	kg g mg ug µg μg ng t K C F °C °F degC degF deg_C deg degree degrees ° ℃ Pa hPa kPa MPa GPa bar mbar atm psi torr
	mmHg V mV kV mA uA µA A W mW kW MW GW Wh kWh MWh Ah mAh J kJ MJ eV meV keV MeV Hz kHz MHz GHz % ppm ppb ppmv mol
	mmol umol µmol M mM uM µM nM L l mL ml uL µL N kN Ohm ohm Ω mohm rad mrad lx lux lm cd T mT G S mS uS µS μS NTU FNU VA kVA cps rpm UTC GMT
	local dB pH psu pct percent cfu IU U o/oo ‰ unitless dimensionless none text string count counts number # kcal cal
	inch in ft yd mi lb lbs oz gal acre ha cells Bq Sv Gy rel a.u. au arb celsius fahrenheit kelvin`)

func wordSet(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// unitLike reports whether b is built of unit symbols: kW, W/m^2, [m s-1].
func unitLike(b []byte) bool {
	s := strings.Trim(strings.TrimSpace(string(b)), "[](){}")
	if s == "" || len(s) > 24 {
		return false
	}
	if unitWords[s] {
		return true
	}
	parts := strings.FieldsFunc(s, func(r rune) bool {
		return strings.ContainsRune("/*.·^ -+⁻¹²³0123456789", r)
	})
	for _, p := range parts {
		if !unitWords[p] {
			return false
		}
	}
	return len(parts) > 0
}
