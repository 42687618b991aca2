// Package recipe is the text in which every decision about a dataset stands:
// how its files were read, what each column is, and what was derived, filtered,
// checked and split. A recipe is YAML that a person can read and edit; every
// decided line carries its evidence as a comment. Replaying a recipe over the
// same sources gives the identical version.
//
// What a recipe does not say is decided from the data, so a hand-written recipe
// may hold no more than the one line that matters:
//
//	format: 1
//	tables:
//	  - name: data
//	    columns:
//	      - source: "Wind Speed (m/s)"
//	        convert: km/h
//
// The steps run in a fixed order, whatever their order in the text: cells are
// read (type, missing codes, date form), units converted, columns renamed or
// dropped, columns derived, rows filtered, rules checked, duplicates removed,
// and rows split.
package recipe
