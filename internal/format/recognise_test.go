package format_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/text"
	"github.com/opengenesis/genesis/internal/testdata"
)

// TestKnownFormats refuses real files of other formats by name.
func TestKnownFormats(t *testing.T) {
	dir := testdata.Dir(t)
	for path, says := range map[string]string{
		"materials/concrete_strength/Concrete_Data.xls":       "OLE2",
		"energy/nrel_resource_h5/ri_wave_2010.h5":             "HDF5",
		"climate/reanalysis_nc_grib/eraint_uvz.nc":            "netCDF",
		"climate/reanalysis_nc_grib/era5-2mt-2019-03-uk.grib": "GRIB",
		"fusion/solar_fits/m13.fits":                          "FITS",
		"fusion/tokamak_equilibria/Beckers2017b.npy":          "NumPy",
		"fusion/tokamak_equilibria/test_1.geqdsk":             "EQDSK",
		"formats/parquet_npz_tiff/QAP12.npz":                  "npz",
		"formats/parquet_npz_tiff/multipage.tif":              "TIFF",
		"biomed/edf_signals/test_generator.edf":               "EDF",
		"biomed/edf_signals/test_skip_variable.mat":           "MATLAB",
		"biomed/molecules_sdf/gdb1k.sdf":                      "SDF",
		"biomed/protein_structures/2BEG.cif":                  "CIF",
		"biomed/protein_structures/2BEG.pdb":                  "PDB",
		"materials/cif_samples/1000041.cif":                   "CIF",
		"materials/mlearn_si_potential/derived_test.extxyz":   "XYZ",
		"genomics/sequence_files/ce.fa":                       "FASTA",
		"genomics/sequence_files/ex1.bam":                     "BAM",
		"genomics/sequence_files/NC_000932.gb":                "GenBank",
		"genomics/sequence_files_b/faidx_ex1.fq":              "FASTQ",
		"genomics/sequence_files_b/index_dos.sam":             "SAM",
		"energy/solar_met_stations/12839.tm2":                 "TMY2",
		"corrupt/xlsx_is_html.xlsx":                           "HTML",
	} {
		err := recogniseFile(t, filepath.Join(dir, path))
		if genesis.KindOf(err) != genesis.Unsupported || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it refused as %s", path, err, says)
		}
	}
}

func recogniseFile(t *testing.T, path string) error {
	t.Helper()
	raw, closer, err := format.OpenRaw(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	streams, err := format.Streams(context.Background(), raw, format.Limits{})
	if err != nil {
		return err
	}
	_, err = format.Recognise(streams[0], []format.Driver{text.Driver{}})
	return err
}

// TestTextThatLooksKnown has tables whose first letters are magic numbers.
func TestTextThatLooksKnown(t *testing.T) {
	for _, in := range []string{
		"ORC,GRIB\n1,2\n", "GRIB,x\n1,2\n", "BZh,x\n1,2\n", "GIF8,x\n1,2\n", "data_id,x\n1,2\n", "tablet,x\n1,2\n", "0       ,x\n1,2\n",
	} {
		streams, err := format.Streams(context.Background(), rawOf("f", []byte(in)), format.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := format.Recognise(streams[0], []format.Driver{text.Driver{}}); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestUnknown(t *testing.T) {
	for in, kind := range map[string]genesis.ErrorKind{
		"":                             genesis.Invalid,
		"\x00\x01\x02\x03\x04\x05\x06": genesis.Unsupported,
	} {
		streams, err := format.Streams(context.Background(), rawOf("f", []byte(in)), format.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := format.Recognise(streams[0], []format.Driver{text.Driver{}}); genesis.KindOf(err) != kind {
			t.Errorf("%q: %v, want kind %s", in, err, kind)
		}
	}
}
