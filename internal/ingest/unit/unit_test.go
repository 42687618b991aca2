package unit

import (
	"math"
	"testing"
)

func TestParse(t *testing.T) {
	for spelling, want := range map[string]string{
		"°C": "Cel", "degC": "Cel", "deg C": "Cel", "C": "Cel", "℃": "Cel", "degree Celsius": "Cel", "°F": "[degF]",
		"W/m^2": "W/m2", "W/m2": "W/m2", "W/m²": "W/m2", "w/m2": "W/m2", "W m-2": "W/m2", "W·m⁻²": "W/m2", "kWhr/m^2": "kW.h/m2",
		"mBar": "mbar", "mbar": "mbar", "hPa": "hPa", "kPa": "kPa", "MPa": "MPa", "Pa": "Pa", "mPa": "mPa", "psi": "[psi]", "mmHg": "mm[Hg]",
		"o/oo": "[ppth]", "mm": "mm", "cm": "cm", "µS": "uS", "μS/cm": "uS/cm", "kg/m3": "kg/m3", "g/cm^3": "g/cm3", "cd/m^2": "cd/m2",
		"lx": "lx", "tenths": "10*-1", "VDC": "V", "Volts": "V", "deg from N": "deg", "degrees": "deg", "Degree": "deg", "°": "deg",
		"mA.h": "mA.h", "mAh": "mA.h", "Amp-hr": "A.h", "Watt-hr": "W.h", "W.h": "W.h", "kWh": "kW.h", "MWh": "MW.h", "Ohm": "Ohm", "Ohms": "Ohm",
		"kΩ": "kOhm", "Ohm-1": "Ohm-1", "µF-2": "uF-2", "S.cm-1": "S/cm", "eV": "eV", "meV": "meV", "%": "%", "rpm": "{rev}/min",
		"Sec": "s", "s": "s", "h": "h", "hr": "h", "hours": "h", "mA/s": "mA/s", "mA.h/V": "mA.h/V", "M": "mol/L", "µM": "umol/L", "nM": "nmol/L",
		"M-1 cm-1": "L/mol/cm", "s-1": "s-1", "uL/min": "uL/min", "mg/L": "mg/L", "mol/l": "mol/L", "m/s": "m/s", "m s-1": "m/s", "km/h": "km/h",
		"mph": "[mi_i]/h", "W/(m.K)": "W/m/K", "W/mK": "", "unitless": "1", "kJ/mol": "kJ/mol", "ppm": "[ppm]", "Å": "Ao", "rad": "rad", "kW": "kW", "cm Hg": "cm[Hg]",
		"V": "V", "mV": "mV", "Hz": "Hz", "MHz": "MHz", "day": "d", "kg m-3": "kg/m3", "m3": "m3", "ft": "[ft_i]", "ug/m3": "ug/m3", "[degF]": "[degF]",
		"code": "", "source": "", "": "", "horse": "", "MM/DD/YYYY": "", "W/m2.K": "", "a": "", "tracker": "", "n": "", "Accumulated": "", "platform": "",
		"HH:MM": "", "measured": "", "/": "", ".": "", "^2": "", "m^": "", "m99": "", "UTC": "",
	} {
		got, ok := Parse(spelling)
		if got != want || ok != (want != "") {
			t.Errorf("Parse(%q) = %q, %v; want %q", spelling, got, ok, want)
		}
	}
}

func TestEveryCodeThatParseReturnsIsValid(t *testing.T) {
	for s, code := range spelled {
		if !Valid(code) {
			t.Errorf("%q gives %q, which is not valid", s, code)
		}
	}
	for s, code := range words {
		if !Valid(code) {
			t.Errorf("%q gives %q, which is not valid", s, code)
		}
	}
	for s, fs := range symbols {
		if !Valid(canonical(fs)) {
			t.Errorf("%q gives %q, which is not valid", s, canonical(fs))
		}
	}
	for s := range suffixes {
		if _, ok := Parse(s); !ok {
			t.Errorf("suffix %q is not a unit", s)
		}
	}
	for s := range alone {
		if _, ok := Parse(s); !ok {
			t.Errorf("header %q is not a unit", s)
		}
	}
}

func TestReadHeader(t *testing.T) {
	for header, want := range map[string]Header{
		"Temp (°C)":                            {Name: "Temp", Spelling: "°C", UCUM: "Cel"},
		"wind_speed [m/s]":                     {Name: "wind_speed", Spelling: "m/s", UCUM: "m/s"},
		"Pressure_hPa":                         {Name: "Pressure", Spelling: "hPa", UCUM: "hPa"},
		"time/s":                               {Name: "time", Spelling: "s", UCUM: "s"},
		"I/mA":                                 {Name: "I", Spelling: "mA", UCUM: "mA"},
		"|Z|/Ohm":                              {Name: "|Z|", Spelling: "Ohm", UCUM: "Ohm"},
		"-Im(Z)/Ohm":                           {Name: "-Im(Z)", Spelling: "Ohm", UCUM: "Ohm"},
		"T/°C":                                 {Name: "T", Spelling: "°C", UCUM: "Cel"},
		"dQ/C":                                 {Name: "dQ", Spelling: "C", UCUM: "C"},
		"(Q-Qo)/mA.h":                          {Name: "(Q-Qo)", Spelling: "mA.h", UCUM: "mA.h"},
		"dI/dt/mA/s":                           {Name: "dI/dt", Spelling: "mA/s", UCUM: "mA/s"},
		"d(Q-Qo)/dE/mA.h/V":                    {Name: "d(Q-Qo)/dE", Spelling: "mA.h/V", UCUM: "mA.h/V"},
		"Cs-2/µF-2":                            {Name: "Cs-2", Spelling: "µF-2", UCUM: "uF-2"},
		"Re(Y)/Ohm-1":                          {Name: "Re(Y)", Spelling: "Ohm-1", UCUM: "Ohm-1"},
		"Efficiency/%":                         {Name: "Efficiency", Spelling: "%", UCUM: "%"},
		"P/W":                                  {Name: "P", Spelling: "W", UCUM: "W"},
		"Temperature/°C/°c":                    {Name: "Temperature", Spelling: "°c", UCUM: "Cel"},
		"Amp-hr":                               {Name: "Amp-hr", Spelling: "Amp-hr", UCUM: "A.h"},
		"Volts":                                {Name: "Volts", Spelling: "Volts", UCUM: "V"},
		"Test (Sec)":                           {Name: "Test", Spelling: "Sec", UCUM: "s"},
		"ACImp/Ohms":                           {Name: "ACImp", Spelling: "Ohms", UCUM: "Ohm"},
		"Culmen Length (mm)":                   {Name: "Culmen Length", Spelling: "mm", UCUM: "mm"},
		"Body Mass (g)":                        {Name: "Body Mass", Spelling: "g", UCUM: "g"},
		"Delta 15 N (o/oo)":                    {Name: "Delta 15 N", Spelling: "o/oo", UCUM: "[ppth]"},
		"Date (MM/DD/YYYY)":                    {Name: "Date", Form: "MM/DD/YYYY"},
		"Time (HH:MM)":                         {Name: "Time", Form: "HH:mm"},
		"time(UTC)":                            {Name: "time", Zone: "UTC"},
		"Global PSP (Accumulated) [kWhr/m^2]":  {Name: "Global PSP (Accumulated)", Spelling: "kWhr/m^2", UCUM: "kW.h/m2"},
		"Temperature @ 50m [deg C]":            {Name: "Temperature @ 50m", Spelling: "deg C", UCUM: "Cel"},
		"Avg Wind Direction @ 3m [deg from N]": {Name: "Avg Wind Direction @ 3m", Spelling: "deg from N", UCUM: "deg"},
		"Station Pressure [mBar]":              {Name: "Station Pressure", Spelling: "mBar", UCUM: "mbar"},
		"CR1000 Battery [VDC]":                 {Name: "CR1000 Battery", Spelling: "VDC", UCUM: "V"},
		"Dry-bulb (C)":                         {Name: "Dry-bulb", Spelling: "C", UCUM: "Cel"},
		"TotCld (tenths)":                      {Name: "TotCld", Spelling: "tenths", UCUM: "10*-1"},
		"AOD (unitless)":                       {Name: "AOD", Spelling: "unitless", UCUM: "1"},
		"Lprecip quantity (hr)":                {Name: "Lprecip quantity", Spelling: "hr", UCUM: "h"},
		"Zenith lum (cd/m^2)":                  {Name: "Zenith lum", Spelling: "cd/m^2", UCUM: "cd/m2"},
		"TotCld uncert (code)":                 {Name: "TotCld uncert (code)"},
		"Capacity (Ah)":                        {Name: "Capacity", Spelling: "Ah", UCUM: "A.h"},
		"Run Time (h)":                         {Name: "Run Time", Spelling: "h", UCUM: "h"},
		"QAgNO3(%)":                            {Name: "QAgNO3", Spelling: "%", UCUM: "%"},
		"Qtot(uL/min)":                         {Name: "Qtot", Spelling: "uL/min", UCUM: "uL/min"},
		"Conductivity (measured) (S/cm)":       {Name: "Conductivity (measured)", Spelling: "S/cm", UCUM: "S/cm"},
		"E isomer pi-pi* wavelength in nm":     {Name: "E isomer pi-pi* wavelength", Spelling: "nm", UCUM: "nm"},
		"Extinction coefficient in M-1 cm-1":   {Name: "Extinction coefficient", Spelling: "M-1 cm-1", UCUM: "L/mol/cm"},
		"G(h)":                                 {Name: "G(h)"},
		"IR(h)":                                {Name: "IR(h)"},
		"Gb(n)":                                {Name: "Gb(n)"},
		"T(K)":                                 {Name: "T", Spelling: "K", UCUM: "K"},
		"Date/Time":                            {Name: "Date/Time"},
		"m/s":                                  {Name: "m/s", Spelling: "m/s", UCUM: "m/s"},
		"dist_km":                              {Name: "dist", Spelling: "km", UCUM: "km"},
		"max_volts":                            {Name: "max_volts", Spelling: "volts", UCUM: "V"},
		"xformer_cost_per_mw":                  {Name: "xformer_cost_per_mw"},
		"cost_per_kW":                          {Name: "cost_per_kW"},
		"PM2_5":                                {Name: "PM2_5"},
		"p_np":                                 {Name: "p_np"},
		"HIV_active":                           {Name: "HIV_active"},
		"type":                                 {Name: "type"},
		"pH":                                   {Name: "pH"},
		"Wind Direction (°)":                   {Name: "Wind Direction", Spelling: "°", UCUM: "deg"},
		"depth (in)":                           {Name: "depth", Spelling: "in", UCUM: "[in_i]"},
		"(mm)":                                 {Name: "(mm)"},
		"measured log solubility in mols per litre": {Name: "measured log solubility in mols per litre"},
		"Minimum Degree": {Name: "Minimum Degree"},
		"Step":           {Name: "Step"},
		"Analog OUT/V":   {Name: "Analog OUT", Spelling: "V", UCUM: "V"},
	} {
		if got := ReadHeader(header); got != want {
			t.Errorf("ReadHeader(%q)\n got %+v\nwant %+v", header, got, want)
		}
	}
}

func TestParseLike(t *testing.T) {
	for _, c := range []struct{ spelling, like, want string }{
		{"F", "Cel", "[degF]"}, {"C", "K", "Cel"}, {"MW", "kW", "MW"}, {"kW", "Cel", ""}, {"A", "", "A"}, {"C", "A.h", "C"}, {"°F", "Cel", "[degF]"},
	} {
		if got, ok := ParseLike(c.spelling, c.like); got != c.want || ok != (c.want != "") {
			t.Errorf("ParseLike(%q, %q) = %q, %v; want %q", c.spelling, c.like, got, ok, c.want)
		}
	}
}

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		from, to string
		x, want  float64
	}{
		{"Cel", "K", 20, 293.15}, {"[degF]", "Cel", 68, 20}, {"[degF]", "Cel", -40, -40}, {"K", "[degF]", 273.15, 32}, {"Cel", "[degF]", 100, 212},
		{"kW", "W", 1.5, 1500}, {"W", "MW", 2.5e6, 2.5}, {"m/s", "km/h", 10, 36}, {"mbar", "hPa", 1013.25, 1013.25}, {"mbar", "Pa", 1, 100},
		{"kW.h", "J", 1, 3.6e6}, {"mA.h", "C", 1000, 3600}, {"%", "1", 50, 0.5}, {"[ppth]", "%", 5, 0.5}, {"atm", "kPa", 1, 101.325},
		{"mm[Hg]", "Pa", 1, 133.322387415}, {"[mi_i]/h", "m/s", 1, 0.44704}, {"deg", "rad", 180, math.Pi}, {"umol/L", "mmol/L", 1500, 1.5},
		{"eV", "J", 1, 1.602176634e-19}, {"Ohm-1", "S", 3, 3}, {"S/cm", "S/m", 1, 100}, {"d", "h", 2, 48}, {"lx", "lm/m2", 7, 7}, {"g/cm3", "kg/m3", 1, 1000},
		{"{rev}/min", "/s", 60, 1}, {"10*-1", "1", 5, 0.5}, {"Wb", "V.s", 1, 1}, {"T", "mT", 1, 1000}, {"F", "C/V", 2, 2}, {"H", "Wb/A", 2, 2}, {"N.m", "J", 1, 1},
	} {
		f, err := Convert(c.from, c.to)
		if err != nil {
			t.Errorf("Convert(%s, %s): %v", c.from, c.to, err)
			continue
		}
		if got := f(c.x); math.Abs(got-c.want) > 1e-12*math.Abs(c.want) {
			t.Errorf("%v %s = %v %s, want %v", c.x, c.from, got, c.to, c.want)
		}
	}
	for _, c := range [][2]string{{"kW", "Cel"}, {"m", "s"}, {"nonsense", "m"}, {"m", "nonsense"}, {"Cel/m", "K/m"}, {"", "m"}} {
		if _, err := Convert(c[0], c[1]); err == nil {
			t.Errorf("Convert(%q, %q) found a way", c[0], c[1])
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"°C", "W/m^2", "kWhr/m^2", "M-1 cm-1", "Temp (°C)", "d(Q-Qo)/dE/mA.h/V", "((((", "10*-1", "{x}/min", "m[Hg]", "a/(b.c)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, ok := Parse(s)
		if ok && !Valid(code) {
			t.Errorf("Parse(%q) = %q, which is not a valid code", s, code)
		}
		if h := ReadHeader(s); h.UCUM != "" && !Valid(h.UCUM) {
			t.Errorf("ReadHeader(%q) = %+v, whose code is not valid", s, h)
		}
		if Valid(s) {
			if _, err := Convert(s, s); err != nil {
				t.Errorf("Convert(%q, itself): %v", s, err)
			}
		}
	})
}
