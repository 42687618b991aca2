package infer

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis/internal/format"
)

func TestLegend(t *testing.T) {
	text := `Latitude (decimal degrees): 45.000
month,year
1,2018
T2m: 2-m air temperature (degree Celsius)
RH: relative humidity (%)
G(h): Global irradiance on the horizontal plane (W/m2)
WD10m: 10-m wind direction (0 = N, 90 = E) (degree)
SP: Surface (air) pressure (Pa)
PVGIS (c) European Union, 2001-2025
Source,Location ID,City,Temperature Units,Pressure Units,Wind Direction Units,Surface Albedo Units,Version
NSRDB,401182,-,c,mbar,Degrees,N/A,v3.2.2
`
	want := map[string]Explanation{
		"T2m":            {"degree Celsius", "2-m air temperature"},
		"RH":             {"%", "relative humidity"},
		"G(h)":           {"W/m2", "Global irradiance on the horizontal plane"},
		"WD10m":          {"degree", "10-m wind direction (0 = N, 90 = E)"},
		"SP":             {"Pa", "Surface (air) pressure"},
		"Temperature":    {Unit: "c"},
		"Pressure":       {Unit: "mbar"},
		"Wind Direction": {Unit: "Degrees"},
	}
	if diff := cmp.Diff(want, Legend(text)); diff != "" {
		t.Errorf("legend (-want +got):\n%s", diff)
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		header, want string
		e            Explanation
	}{
		{"Temperature", "float unit=Cel", Explanation{Unit: "c"}},
		{"Temperature (K)", "float unit=K", Explanation{Unit: "c"}},
		{"x", "float", Explanation{}},
	} {
		d := NewDecider(format.RawColumn{Name: c.header}, c.header)
		d.Observe(vector("1.5", "2"))
		d.Explain(c.e)
		if got := summary(d.Decide(2)); got != c.want {
			t.Errorf("%q, explained as %+v, is %s, want %s", c.header, c.e, got, c.want)
		}
	}
}

func FuzzLegend(f *testing.F) {
	f.Add("T2m: 2-m air temperature (degree Celsius)\na Units,b\nm,\"x")
	f.Fuzz(func(t *testing.T, text string) {
		for name := range Legend(text) {
			if name == "" {
				t.Error("the legend explains a column without a name")
			}
		}
	})
}
