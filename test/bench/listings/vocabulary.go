// Package listings makes synthetic listings of catalogues for benchmarks: as many as
// are asked for, each a function of its number and the seed alone.
//
// Words, sentences, titles and names of variables are drawn from the cards, notes and
// headers of a folder of real laboratory files, by Zipf's law. Real catalogues go
// on with words that occur a few times in all: names of sites, campaigns,
// instruments. Those are made up, and are the tail of the same law.
package listings

import (
	"bufio"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Vocabulary is what listings are made of.
type Vocabulary struct {
	words     []string // most frequent first
	sentences [][]string
	titles    []string
	variables []variable
}

type variable struct{ name, unit string }

// madeUp is how many rare words there are.
const madeUp = 400_000

var (
	wordPattern   = regexp.MustCompile(`[\p{L}][\p{L}\p{N}_+-]*`)
	columnPattern = regexp.MustCompile(`^[\p{L}][\p{L}\p{N}_ ./()%°^-]{0,40}$`)
)

// Read reads the vocabulary from a folder of laboratory files.
func Read(dir string) (*Vocabulary, error) {
	count := map[string]int{}
	v := &Vocabulary{}
	names := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".md":
			return v.readText(path, count)
		case ".csv":
			return readHeader(path, names)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for w := range count {
		v.words = append(v.words, w)
	}
	slices.SortFunc(v.words, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	if len(v.words) < 500 || len(v.sentences) < 100 {
		return nil, fmt.Errorf("%s has %d words in %d sentences, which is too few", dir, len(v.words), len(v.sentences))
	}
	for i := range madeUp {
		v.words = append(v.words, madeUpWord(i))
	}
	v.makeVariables(names)
	return v, nil
}

func (v *Vocabulary) readText(path string, count map[string]int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		words := wordPattern.FindAllString(line, -1)
		for _, w := range words {
			count[strings.ToLower(w)]++
		}
		if len(words) >= 5 {
			v.sentences = append(v.sentences, words[:min(len(words), 40)])
		}
		if title, ok := strings.CutPrefix(line, "- what: "); ok {
			v.titles = append(v.titles, strings.TrimSpace(title))
		}
	}
	return nil
}

// readHeader adds the names of a table's columns.
func readHeader(path string, names map[string]bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := bufio.NewReader(f).ReadString('\n')
	if err != nil || len(head) > 4096 {
		return nil // not a table of lines
	}
	for _, name := range strings.FieldsFunc(head, func(r rune) bool { return r == ',' || r == ';' || r == '\t' }) {
		if name = strings.Trim(strings.TrimSpace(name), `"`); columnPattern.MatchString(name) {
			names[name] = true
		}
	}
	return nil
}

var (
	syllables = strings.Fields("ka ro mi tal ven dor sul be kri no lam ter pha zu gor wen ist ar qui lo das em fir hal jen opt rix sta un vor")
	units     = strings.Fields("m/s K Cel W/m2 Pa hPa kPa % m mm um nm kg/m3 kg g s h min d Hz kHz MHz GHz V mV A mA W kW MW kW.h J kJ eV meV keV MeV mol mol/L mmol/L g/mol deg rad m2 m3 L L/min m3/s mg/L ug/m3 [ppm] [ppb] Bq Sv Gy T N N/m MPa GPa W/(m.K) J/(kg.K) S/m Ohm F C cd lx lm rad/s m/s2 kg/(m2.s) W.m-2 1/s Ar Ar3 {counts} 1")
	names     = strings.Fields(`air_temperature air_pressure relative_humidity specific_humidity wind_speed wind_from_direction eastward_wind northward_wind precipitation_flux
surface_downwelling_shortwave_flux_in_air surface_downwelling_longwave_flux_in_air sea_surface_temperature sea_water_salinity sea_water_potential_temperature sea_surface_height
ocean_mixed_layer_thickness cloud_area_fraction soil_moisture_content surface_albedo snow_depth river_discharge mole_fraction_of_carbon_dioxide_in_air
mass_concentration_of_pm2p5_ambient_aerosol_in_air geopotential_height dew_point_temperature soil_temperature leaf_area_index net_primary_productivity_of_biomass
band_gap formation_energy density bulk_modulus shear_modulus yield_strength debye_temperature thermal_conductivity dielectric_constant lattice_parameter space_group
electron_density electron_temperature plasma_current safety_factor neutron_flux cross_section half_life mass_excess solubility logp yield binding_affinity
active_power reactive_power voltage current state_of_charge capacity cycle oil_temperature load price timestamp station_id sample_id latitude longitude elevation depth pressure`)
)

func madeUpWord(i int) string {
	var b strings.Builder
	for n := i + 17; n > 0; n /= len(syllables) {
		b.WriteString(syllables[n%len(syllables)])
	}
	if i%3 == 0 {
		fmt.Fprintf(&b, "%d", i%97)
	}
	return b.String()
}

// makeVariables makes names of variables: of standards, of real tables, and
// those with the endings that laboratories put behind them.
func (v *Vocabulary) makeVariables(real map[string]bool) {
	all := slices.Clone(names)
	for name := range real {
		all = append(all, name)
	}
	slices.Sort(all[len(names):])
	for i, name := range all {
		v.variables = append(v.variables, variable{name, units[i%len(units)]})
	}
	for i := range 20_000 {
		base := v.variables[i%len(all)]
		ending := []string{"mean", "std", "max", "min", "qc", "10m", "2m", "sensor", "raw", "corrected"}[i/len(all)%10]
		v.variables = append(v.variables, variable{fmt.Sprintf("%s_%s_%s", base.name, ending, madeUpWord(i%311)), base.unit})
	}
}
