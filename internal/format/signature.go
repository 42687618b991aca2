package format

import (
	"bytes"
	"regexp"
)

// signature is how the content of a known format begins.
type signature struct {
	name   string // with its article, as the refusal says it
	offset int
	magic  string
	hint   string
	binary bool // the magic is plain letters: control bytes must follow it soon
}

// signatures are tried in order. Sources: the formats' specifications and the
// magic database of file(1).
var signatures = []signature{
	{"an OLE2 compound file (.xls, .doc)", 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save the workbook as .xlsx or .csv", false},
	{"an HDF5 file (also netCDF-4 and MATLAB 7.3)", 0, "\x89HDF\r\n\x1a\n", "", false},
	{"an HDF5 file with a user block", 512, "\x89HDF\r\n\x1a\n", "", false},
	{"a netCDF classic file", 0, "CDF\x01", "", false},
	{"a netCDF file with 64-bit offsets", 0, "CDF\x02", "", false},
	{"a netCDF file with 64-bit data", 0, "CDF\x05", "", false},
	{"a FITS file", 0, "SIMPLE  =", "", false},
	{"a GRIB file", 0, "GRIB", "", true},
	{"a NumPy array (.npy)", 0, "\x93NUMPY", "", false},
	{"a TIFF image", 0, "II*\x00", "", false},
	{"a TIFF image", 0, "MM\x00*", "", false},
	{"a BigTIFF image", 0, "II+\x00", "", false},
	{"a PNG image", 0, "\x89PNG\r\n\x1a\n", "", false},
	{"a JPEG image", 0, "\xff\xd8\xff", "", false},
	{"a GIF image", 0, "GIF8", "", true},
	{"a PDF document", 0, "%PDF-", "export the table from the program that made it", false},
	{"a PostScript document", 0, "%!PS", "", false},
	{"an RTF document", 0, `{\rtf`, "", false},
	{"a MATLAB file", 0, "MATLAB 5.0 MAT-file", "", false},
	{"a MATLAB file", 0, "MATLAB 7.0 MAT-file", "", false},
	{"a MATLAB file", 0, "MATLAB 7.3 MAT-file", "", false},
	{"an SQLite database", 0, "SQLite format 3\x00", "export its tables as CSV", false},
	{"an Arrow IPC file", 0, "ARROW1", "convert it to Parquet", false},
	{"an ORC file", 0, "ORC", "convert it to Parquet", true},
	{"an Avro file", 0, "Obj\x01", "convert it to Parquet", false},
	{"a BAM file", 0, "BAM\x01", "", false},
	{"a bzip2 archive", 0, "BZh", "unpack it, or pack it with gzip or zstd", true},
	{"an xz archive", 0, "\xfd7zXZ\x00", "unpack it, or pack it with gzip or zstd", false},
	{"an LZ4 archive", 0, "\x04\x22\x4d\x18", "unpack it, or pack it with gzip or zstd", false},
	{"a 7z archive", 0, "7z\xbc\xaf\x27\x1c", "unpack it, or pack it with zip", false},
	{"a RAR archive", 0, "Rar!\x1a\x07", "unpack it, or pack it with zip", false},
	{"a tar archive", 257, "ustar", "unpack it, or pack it with zip", false},
	{"a Python pickle", 0, "\x80\x04\x95", "pickles are programs and are never run; save the data as Parquet or CSV", false},
	{"a program", 0, "\x7fELF", "", false},
	{"a Matrix Market file", 0, "%%MatrixMarket", "", false},
	{"a GenBank file", 0, "LOCUS       ", "", false},
	{"a SAM file", 0, "@HD\tVN:", "", false},
	{"a SAM file", 0, "@SQ\tSN:", "", false},
	{"a PDB structure", 0, "HEADER    ", "", false},
	{"a GROMACS or VASP binary", 0, "\x00\x00\x07\xc9", "", false},
}

// shape is a text format known by how its first lines look.
type shape struct {
	name    string
	pattern *regexp.Regexp
}

var shapes = []shape{
	{"an HTML page", regexp.MustCompile(`(?i)\A\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body|table)[\s>]`)},
	{"an XML document", regexp.MustCompile(`\A\s*<\?xml\s`)},
	{"a crystallographic information file (CIF)", regexp.MustCompile(`\A(#[^\n]*\n|\s)*data_\S*\s+(#[^\n]*\n|\s)*(loop_|_[A-Za-z])`)},
	{"a structure-data file (SDF)", regexp.MustCompile(`\A[^\n]*\n[^\n]*\n[^\n]*\n[ \d]{6,}[^\n]*V[23]000\s*\n`)},
	{"an extended XYZ file", regexp.MustCompile(`\A\s*\d+\s*\n[^\n]*(Lattice|Properties)=`)},
	{"a FASTA file", regexp.MustCompile(`\A>[^\n]*\n[A-Za-z*-]+\s`)},
	{"a FASTQ file", regexp.MustCompile(`\A@[^\n]+\n[A-Za-z.*-]+\r?\n\+`)},
	{"a TMY2 weather file (fixed-width text)", regexp.MustCompile(`\A \d{5} .{22} [A-Z]{2} [ -]{0,2}\d+ [NS] [ \d]{5} [EW] [ \d]{6} [ \d]{4,6}\s*\n [ \d]{8,}[\d?A-Z]{40}`)},
	{"an EQDSK equilibrium (fixed-width text)", regexp.MustCompile(`\A[^\n]{40,60}\s+\d+\s+\d+\s+\d+\r?\n[ -]\d\.\d{9}[Ee][+-]\d\d[ -]\d\.\d{9}[Ee]`)},
}

// knownFormat names the known format, not read by any driver, that begins with
// head; "" when there is none.
func knownFormat(head []byte) (name, hint string) {
	for _, s := range signatures {
		if s.matches(head) {
			return s.name, s.hint
		}
	}
	if bytes.HasPrefix(head, zipMagic) && npzEntry(head) {
		return "a NumPy archive (.npz)", ""
	}
	if isEDF(head) {
		return "an EDF or BDF recording", ""
	}
	start := head[:min(len(head), 16<<10)]
	for _, s := range shapes {
		if s.pattern.Match(start) {
			return s.name, ""
		}
	}
	return "", ""
}

func (s signature) matches(head []byte) bool {
	end := s.offset + len(s.magic)
	if len(head) < end || string(head[s.offset:end]) != s.magic {
		return false
	}
	return !s.binary || bytes.ContainsAny(head[:min(len(head), 512)], "\x00\x01\x02\x03\x04\x05\x06\x07")
}

// isEDF checks the fixed fields of an EDF header (edfplus.info, "header record").
func isEDF(head []byte) bool {
	if len(head) < 256 || string(head[:8]) != "0       " && string(head[:8]) != "\xffBIOSEMI" {
		return false
	}
	return head[170] == '.' && head[173] == '.' && head[178] == '.' && head[181] == '.'
}
