package infer

import (
	"testing"
)

// TestRealFiles holds what was decided about real columns against what a person
// read in the raw bytes.
func TestRealFiles(t *testing.T) {
	solar, cyclers, lab := "energy/solar_met_stations/", "energy/battery_cyclers/", "biomed/messy_lab_tables/"
	for _, c := range []struct {
		layout
		want map[string]string
	}{
		{layout{path: solar + "midc_raw_20181018.txt"}, map[string]string{
			"temp_chp1": "float unit=Cel missing=-7999 !sentinel", "air_temperature": "float unit=Cel", "cr1000_battery": "float unit=V",
			"avg_wind_direction_3m": "float unit=deg semantic=angle", "station_pressure": "float unit=mbar", "direct_normal": "float unit=W/m2", "doy": "integer !constant",
		}},
		{layout{path: solar + "703165TY.csv", skip: 1}, map[string]string{
			"date": "date role=time form=MM/DD/YYYY", "time": "categorical !time-of-day", "ghi": "integer unit=W/m2", "hvis": "integer unit=m missing=-9900 !sentinel",
			"hvis_source": "categorical missing=? !constant", "lprecip_depth": "integer unit=mm missing=-9900 !sentinel", "dry_bulb": "float unit=Cel",
			"tot_cld": "integer unit=10*-1", "zenith_lum": "integer unit=cd/m2", "wdir": "integer unit=deg semantic=angle", "ceil_hgt": "integer unit=m missing=77777 !sentinel", "pressure": "integer unit=mbar !constant",
		}},
		{layout{path: solar + "surfrad-slv16001.dat", skip: 2, noHeader: true, blanks: true}, map[string]string{
			"c29": "float role=ignore missing=-9999.9 !sentinel !constant", "c31": "float role=ignore missing=-9999.9 !sentinel !constant", "c9": "float", "c47": "float", "c1": "integer !constant", "c6": "integer",
		}},
		{layout{path: solar + "SRML-day-EUPO1801.txt", skip: 1, noHeader: true, comma: '\t'}, map[string]string{
			"c5": "integer missing=-999 !sentinel", "c9": "float", "c6": "integer",
		}},
		{layout{path: solar + "test_read_psm3.csv", skip: 2}, map[string]string{
			"year": "integer !constant", "minute": "integer", "temperature": "float", "wind_direction": "integer semantic=angle", "c23": "text role=ignore !empty",
		}},
		{layout{path: cyclers + "xTESLADIAG_000019_CH70.070", skip: 1, comma: '\t'}, map[string]string{
			"rec": "integer role=id", "test": "float unit=s", "step": "integer", "step_sec": "float unit=s", "amp_hr": "float unit=A.h", "volts": "float unit=V",
			"state": "categorical", "dpt_time": "timestamp role=time form=MM/DD/YYYY HH:mm:ss zone=unstated", "ac_imp": "float unit=Ohm !constant",
			"wf_chg_cap": "text role=ignore missing=N/A !empty", "var1": "float !constant",
		}},
		{layout{path: cyclers + "biologic_loops_short10k.csv", comma: ';'}, map[string]string{
			"c1": "integer role=id", "time": "timestamp role=time form=MM/DD/YYYY HH:mm:ss.SSS zone=unstated !ambiguous-date !unit-ignored",
			"ecell": "float unit=V", "i_ma": "float unit=mA", "q_qo_ma_h": "float unit=mA.h", "im_z": "float role=ignore unit=Ohm !empty",
			"conductivity": "float role=ignore unit=S/cm !empty", "re_y": "float role=ignore unit=Ohm-1 !empty", "d_i_dt": "", "rotation_rate": "float role=ignore unit={rev}/min !empty",
		}},
		{layout{path: cyclers + "maccor_parameterized_memloaded.csv"}, map[string]string{
			"c1": "integer role=id", "date_time_iso": "timestamp role=time form=YYYY-MM-DDTHH:mm:ssZ zone=UTC", "date_time": "timestamp role=time form=MM/DD/YYYY HH:mm:ss zone=unstated !ambiguous-date",
			"voltage": "float", "state": "categorical",
		}},
		{layout{path: "energy/wind_turbine_scada/T1.csv", encoding: "gbk"}, map[string]string{
			"date_time": "timestamp role=time form=DD MM YYYY HH:mm zone=unstated", "active_power": "float", "wind_speed": "float unit=m/s",
			"theoretical_power": "float", "wind_direction": "float unit=deg semantic=angle",
		}},
		{layout{path: "energy/ett_h1_transformer/ETTh1.csv"}, map[string]string{"date": "timestamp role=time form=YYYY-MM-DD HH:mm:ss zone=unstated", "ot": "float"}},
		{layout{path: lab + "penguins_raw.csv"}, map[string]string{
			"study_name": "categorical", "sample_number": "integer", "species": "categorical", "region": "categorical !constant", "individual_id": "identifier role=ignore",
			"clutch_completion": "boolean", "date_egg": "date role=time form=YYYY-MM-DD", "culmen_length": "float unit=mm missing=NA", "body_mass": "integer unit=g missing=NA",
			"sex": "categorical missing=NA", "delta_15_n": "float unit=[ppth] missing=NA", "comments": "categorical missing=NA",
		}},
		{layout{path: lab + "winequalityN.csv"}, map[string]string{"type": "categorical", "fixed_acidity": "float", "ph": "float", "quality": "integer", "density": "float"}},
		{layout{path: "biomed/bbbp/BBBP.csv"}, map[string]string{"p_np": "integer", "smiles": "text semantic=smiles", "name": "text"}},
		{layout{path: "biomed/esol_delaney/ESOL_delaney-processed.csv"}, map[string]string{"compound_id": "identifier role=id !padding", "smiles": "text semantic=smiles !padding"}},
		{layout{path: "biomed/tox21/tox21.csv"}, map[string]string{"nr_ar": "integer", "mol_id": "identifier role=id", "smiles": "text semantic=smiles"}},
		{layout{path: "materials/oqmd_bandgap/train.csv"}, map[string]string{"formula": "text semantic=formula", "target": "float"}},
		{layout{path: "materials/matbench_steels/steels_yield.csv"}, map[string]string{"formula": "text semantic=formula", "target": "float"}},
		{layout{path: "materials/bo_experiments/AgNP_dataset.csv"}, map[string]string{"qag_no3": "float unit=%", "qtot": "float unit=uL/min"}},
		{layout{path: "climate/climate_indices/co2-ppm-daily.csv"}, map[string]string{"date": "date role=time form=YYYY-MM-DD", "value": "float"}},
		{layout{path: "climate/climate_indices_b/global_temp_monthly.csv"}, map[string]string{"source": "categorical", "year": "date role=time form=YYYY-MM", "mean": "float"}},
		{layout{path: "corrupt/header_units_row.csv", units: true}, map[string]string{
			"timestamp": "timestamp role=time form=YYYY-MM-DDTHH:mmZ zone=UTC !two-date-forms", "power": "float unit=kW missing=-9999 !sentinel",
			"temp": "float unit=Cel missing=NaN units=F !unit-in-cell",
		}},
		{layout{path: "corrupt/decimal_comma.csv", comma: ';'}, map[string]string{"id": "integer role=id", "x": "float decimal=,", "y": "float decimal=, thousands=."}},
		{layout{path: "corrupt/excel_dates_and_genes.csv"}, map[string]string{"gene": "text !excel-gene", "date": "date role=time form=excel-serial !excel-serial !two-date-forms"}},
		{layout{path: "corrupt/inf_nan_overflow.csv"}, map[string]string{"x": "float missing=#DIV/0!|#N/A|--|.|NULL|nan !spreadsheet-error !not-a-number !infinite"}},
		{layout{path: "corrupt/latin1_degree.csv", encoding: "latin1"}, map[string]string{"temp": "float unit=Cel missing=-9999 !sentinel", "um": "integer unit=um"}},
		{layout{path: "corrupt/formula_injection.csv"}, map[string]string{"note": "text !formula"}},
	} {
		t.Run(c.path, func(t *testing.T) {
			got, _ := decideAll(t, c.layout)
			for name, want := range c.want {
				if want == "" {
					continue
				}
				d, ok := got[name]
				if !ok {
					t.Errorf("there is no column %q", name)
				} else if s := summary(d); s != want {
					t.Errorf("%s\n got %s\nwant %s", name, s, want)
				}
			}
		})
	}
}
