package parquet

import (
	"encoding/json"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// leaf is a column of the file: its place in the schema and how its stored
// values become a vector.
type leaf struct {
	index   int    // among the file's columns
	name    string // dotted
	element element
	maxDef  int // definition level of a value that is there
	maxRep  int
	kind    format.Kind // of the vectors
	typed   bool        // the kind follows from the type; else text spelled for inference
	zone    string
	unit    string // of numbers the type itself gives a unit
	leftOut string // why it is not read; "" if it is
	convert converter
}

// leaves flattens the schema; structs give dotted names.
func (m *fileMeta) leaves() ([]leaf, error) {
	if len(m.schema) == 0 || m.schema[0].leaf {
		return nil, damaged("has no schema")
	}
	w := schemaWalk{m: m, next: 1}
	if err := w.children(m.schema[0].children, "", 0, 0, 1); err != nil {
		return nil, err
	}
	if w.next != len(m.schema) {
		return nil, damaged("has a schema with nodes that belong to no parent")
	}
	w.addUnits()
	w.addDurations()
	return w.leaves, nil
}

type schemaWalk struct {
	m      *fileMeta
	next   int
	leaves []leaf
}

func (w *schemaWalk) children(n int32, prefix string, def, rep, depth int) error {
	if n < 0 || depth > maxDepth {
		return damaged("has a schema that nests too deep or counts below zero")
	}
	for range n {
		if w.next >= len(w.m.schema) {
			return damaged("has a schema that ends early")
		}
		e := w.m.schema[w.next]
		w.next++
		if err := w.node(e, prefix, def, rep, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *schemaWalk) node(e element, prefix string, def, rep, depth int) error {
	switch e.repetition {
	case required:
	case optional:
		def++
	case repeated:
		def, rep = def+1, rep+1
	default:
		return damaged("has a column with an unknown repetition %d", e.repetition)
	}
	name := prefix + e.name
	if !e.leaf || e.children > 0 {
		if e.leaf {
			return damaged("has a column %q that is a value and a group at once", name)
		}
		return w.children(e.children, name+".", def, rep, depth+1)
	}
	if e.typ < 0 || e.typ > typeFixed || e.typ == typeFixed && (e.length <= 0 || e.length > 1<<20) {
		return damaged("has a column %q of an unknown type", name)
	}
	l := leaf{index: len(w.leaves), name: name, element: e, maxDef: def, maxRep: rep}
	l.interpret()
	if rep > 0 {
		l.leftOut = "holds lists or maps"
	}
	w.leaves = append(w.leaves, l)
	return nil
}

// addUnits takes units from the columns a Genesis export describes itself with.
func (w *schemaWalk) addUnits() {
	var cols []genesis.Column
	if json.Unmarshal([]byte(w.m.metadata[metadataColumns]), &cols) != nil || len(cols) != len(w.leaves) {
		return
	}
	for i := range w.leaves {
		if cols[i].Name == w.leaves[i].name && w.leaves[i].unit == "" {
			w.leaves[i].unit = cols[i].Unit
		}
	}
}

// addDurations takes the units of Arrow's durations, which are integers here.
func (w *schemaWalk) addDurations() {
	units := durationUnits(w.m.metadata[metadataArrow])
	for i := range w.leaves {
		l := &w.leaves[i]
		if unit := units[l.name]; unit != "" && l.unit == "" && l.element.typ == typeInt64 && l.kind == format.Int && l.maxRep == 0 {
			l.unit = unit
		}
	}
}

// column is the leaf as the source's declaration.
func (l *leaf) column() format.RawColumn {
	return format.RawColumn{Name: l.name, Unit: l.unit, Typed: l.typed, Kind: l.kind, Zone: l.zone}
}

// remedy says what to do about a column that is left out.
func (l *leaf) remedy() string {
	if l.maxRep > 0 {
		return "write the elements of a list, such as the values of a spectrum, as columns of single values (spectrum_1, spectrum_2, …), a list of no fixed length as rows of a table of its own, then prepare again"
	}
	return "write the column as single numbers, times or texts, then prepare again"
}
