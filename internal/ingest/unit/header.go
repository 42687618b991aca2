package unit

import (
	"strings"
	"unicode"
)

// Header is what a column's header cell says besides its name.
type Header struct {
	Name     string // the header without its unit, as spelled
	Spelling string // the unit as spelled: "°C"
	UCUM     string // and in UCUM: "Cel"
	Form     string // the form of times: "MM/DD/YYYY"
	Zone     string // the zone of times: "UTC"
	Unread   string // what stands in brackets as a unit would, and is none that is known
}

// ReadHeader splits a header cell into the column's name and its unit. A header
// without a unit that is understood is returned as it is. It looks, in this order, for brackets ("Temp (°C)", "speed [m/s]"), a stroke ("I/mA"), " in "
// ("wavelength in nm"), a suffix ("Pressure_hPa"), and a header that is
// nothing but a unit's name ("Volts").
func ReadHeader(header string) Header {
	s := strings.TrimSpace(header)
	none := Header{Name: s}
	if s == "" || len(s) > 4*maxCode {
		return none
	}
	for _, read := range []func(string) (Header, bool){bracketed, bare, stroked, worded, suffixed} {
		if h, ok := read(s); ok && h.Name != "" {
			return h
		}
	}
	none.Unread = unread(s)
	return none
}

// notUnits are words in brackets that say which number it is, not in what.
var notUnits = map[string]bool{}

func init() {
	for _, w := range strings.Fields(`ac dc max min mean avg average std sd se sem cv median mode raw est calc id ids lat lon in out old new all total sum net gross
		left right top bottom upper lower low high n s e w ne nw se sw x y z i j k a b c d r p q t usd eur gbp chf yes no y/n t/f m/f f/m true false log ln log10
		am pm na n/a tbd opt optional obs sim ref ci iqr`) {
		notUnits[w] = true
	}
}

// unread returns what stands in brackets at a header's end and reads as a unit
// would: in square brackets any short word, in round ones what is no plain word.
func unread(s string) string {
	i := strings.LastIndexAny(s, "([")
	if i <= 0 || s[len(s)-1] != ')' && s[len(s)-1] != ']' {
		return ""
	}
	name, inner := strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:len(s)-1])
	round := s[i] == '('
	if name == "" || inner == "" || len(inner) > 20 || notUnits[strings.ToLower(inner)] || strings.ContainsAny(inner, " ,;:=()[]<>\"'_") || inner[0]-'0' <= 9 || inner[0] == '-' {
		return ""
	}
	letters := strings.IndexFunc(inner, unicode.IsLetter) >= 0
	if !letters || round && (s[i-1] != ' ' || plainWord(inner)) {
		return ""
	}
	return inner
}

// plainWord reports whether s is a word as sentences have them: "outside", "Raw".
func plainWord(s string) bool {
	for i, r := range s {
		if i > 0 && !unicode.IsLower(r) || !unicode.IsLetter(r) {
			return false
		}
	}
	return true
}

// bracketed reads the last bracket: "Temp (°C)", "Air [deg C]", "x, m/s" not.
func bracketed(s string) (Header, bool) {
	for _, pair := range []string{"()", "[]", "{}", "（）", "【】"} {
		open, closing := string([]rune(pair)[0]), string([]rune(pair)[1])
		if !strings.HasSuffix(s, closing) {
			continue
		}
		i := strings.LastIndex(s, open)
		if i < 0 {
			continue
		}
		inner := strings.TrimSpace(s[i+len(open) : len(s)-len(closing)])
		name := strings.TrimSpace(s[:i])
		return inBrackets(name, inner, i > 0 && s[i-1] != ' ')
	}
	return Header{}, false
}

func inBrackets(name, inner string, attached bool) (Header, bool) {
	if name == "" {
		return Header{}, false
	}
	if form, ok := timeForm(inner); ok {
		return Header{Name: name, Form: form}, true
	}
	if zone, ok := zoneName(inner); ok {
		return Header{Name: name, Zone: zone}, true
	}
	if attached && symbolIndex(name, inner) {
		return Header{}, false
	}
	if inner == "in" {
		return Header{Name: name, Spelling: inner, UCUM: "[in_i]"}, true
	}
	code, ok := ParseFor(inner, name)
	if !ok {
		return Header{}, false
	}
	if rest, ok := bracketed(name); ok && rest.UCUM == code { // "T (°C) (°C)"
		name = rest.Name
	}
	return Header{Name: name, Spelling: inner, UCUM: code}, true
}

// symbolIndex reports whether a letter in brackets written close to a short
// symbol is an index and no unit: G(h) is irradiance on the horizontal, U(V) a
// voltage.
func symbolIndex(name, inner string) bool {
	if len(inner) != 1 || strings.Contains("%°", inner) {
		return false
	}
	upper := strings.Contains("KVACWJF", inner)
	return len(name) < 3 && !upper && !(inner == "s" && name == "t")
}

// timeForm recognises a form of dates or times of day and writes it in our
// letters: "mm/dd/yyyy" → "MM/DD/YYYY".
func timeForm(s string) (string, bool) {
	upper := strings.ToUpper(s)
	if len(s) > 40 || strings.Trim(upper, "YMDHS/-.: T,") != "" {
		return "", false
	}
	date := strings.Contains(upper, "YY") && strings.Contains(upper, "MM")
	clock := strings.Contains(upper, "HH:MM") || strings.Contains(upper, "H:MM")
	if !date && !clock {
		return "", false
	}
	if i := strings.Index(upper, "HH"); i >= 0 { // after the hours, MM is minutes
		head, tail := upper[:i], upper[i:]
		return head + strings.ReplaceAll(strings.ReplaceAll(tail, "MM", "mm"), "SS", "ss"), true
	}
	return upper, true
}

// zoneName recognises a zone in brackets.
func zoneName(s string) (string, bool) {
	switch strings.ToUpper(s) {
	case "UTC", "GMT", "Z", "UT":
		return "UTC", true
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(s), "UTC"), "GMT")
	if len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':' && isDigits(rest[1:3]) && isDigits(rest[4:]) {
		return rest, true
	}
	return "", false
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// alone are headers that are nothing but a unit: "Volts" is a column of volts.
var alone = map[string]bool{
	"volts": true, "volt": true, "amps": true, "amp": true, "amperes": true, "watts": true, "ohms": true, "amp-hr": true, "watt-hr": true,
	"amp-hours": true, "watt-hours": true, "kwh": true, "kw": true, "mah": true, "rpm": true, "celsius": true,
	"fahrenheit": true, "kelvin": true, "seconds": true, "hours": true, "minutes": true, "m/s": true, "km/h": true, "w/m2": true, "w/m^2": true, "mg/l": true,
	"g/l": true, "kg/m3": true, "g/cm3": true, "mol/l": true, "°c": true, "°f": true, "ppm": true, "ppb": true, "µm": true, "um": true,
}

func bare(s string) (Header, bool) {
	if !alone[strings.ToLower(s)] {
		return Header{}, false
	}
	code, ok := Parse(s)
	return Header{Name: s, Spelling: s, UCUM: code}, ok
}

// stroked reads ISO 80000's quantity/unit: "time/s", "dI/dt/mA/s".
func stroked(s string) (Header, bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case '/':
			name, spelling := strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:])
			if depth != 0 || name == "" || spelling == "" {
				continue
			}
			code, ok := ParseFor(spelling, name)
			if !ok {
				continue
			}
			if inner, ok := stroked(name); ok && inner.UCUM == code { // "T/°C/°c"
				name = inner.Name
			}
			return Header{Name: name, Spelling: spelling, UCUM: code}, true
		}
	}
	return Header{}, false
}

// worded reads "wavelength in nm". The logarithm of a quantity has no unit,
// whatever its name says.
func worded(s string) (Header, bool) {
	i := strings.LastIndex(s, " in ")
	if i <= 0 || strings.Contains(strings.ToLower(s), "log") {
		return Header{}, false
	}
	name, spelling := strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+4:])
	code, ok := ParseFor(spelling, name)
	return Header{Name: name, Spelling: spelling, UCUM: code}, ok && spelling != "-" && spelling != "none"
}

// suffixes are the units that are taken for one at the end of a name, after an
// underscore: "Pressure_hPa". Case-sensitive; single letters are not among
// them.
var suffixes = map[string]bool{}

func init() {
	for _, s := range strings.Fields(`hPa kPa MPa GPa mbar mBar kW MW GW kWh MWh GWh Wh mV kV mA mAh Ah degC degF degrees deg mm cm km nm um µm
		mg kg ug µg mL uL ms Hz kHz MHz GHz eV meV keV MeV pct percent ppm ppb rpm mph kmh volts amps watts celsius fahrenheit kelvin seconds minutes hours
		sec hrs metres meters psi mmHg K lux mM uM nM kJ MJ kcal ohm ohms`) {
		suffixes[s] = true
	}
}

// generic are names that say nothing without the unit behind them.
var generic = map[string]bool{"min": true, "max": true, "mean": true, "avg": true, "average": true, "std": true, "sum": true, "total": true, "n": true,
	"value": true, "num": true, "per": true, "in": true, "count": true, "number": true}

func suffixed(s string) (Header, bool) {
	i := strings.LastIndexByte(s, '_')
	if i <= 0 || !suffixes[s[i+1:]] || strings.HasSuffix(strings.ToLower(s[:i]), "_per") || strings.EqualFold(s[:i], "per") {
		return Header{}, false
	}
	code, ok := ParseFor(s[i+1:], s[:i])
	name := s[:i]
	if generic[strings.ToLower(name)] {
		name = s
	}
	return Header{Name: name, Spelling: s[i+1:], UCUM: code}, ok
}
