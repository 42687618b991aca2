package json

import "strings"

// uniform reports whether the members of n are so alike that n is a map from
// keys to values rather than a record.
func (n *node) uniform() bool { return n.scalarsLike() || n.mapOfLike() }

// scalarsLike reports whether all members are numbers, or all are strings.
func (n *node) scalarsLike() bool {
	var all node
	for _, m := range n.members {
		if !m.onlyScalars() {
			return false
		}
		for k, c := range m.scalars {
			all.scalars[k] += c
		}
	}
	some := all.scalarCount() - all.scalars[null]
	return some > 0 && (all.numbers() || some == all.scalars[text])
}

// mapOfLike reports whether the members of n are objects with mostly the same
// keys, or equally long arrays under whole numbers: {"1": [0, 1], "2": [1, 0]}.
func (n *node) mapOfLike() bool {
	const fewest = 3
	if len(n.members) < fewest {
		return false
	}
	return n.objectsLike() || n.ordinal && n.arraysLike()
}

func (n *node) objectsLike() bool {
	keys := make(map[string]bool)
	var sum int
	for _, m := range n.members {
		if m.objects == 0 || m.arrays+m.scalarCount() > 0 || m.any != nil {
			return false
		}
		sum += len(m.members)
		for _, k := range m.members {
			keys[k.key] = true
		}
	}
	return sum > 0 && 2*sum >= len(keys)*len(n.members)
}

func (n *node) arraysLike() bool {
	for _, m := range n.members {
		if !m.plain() || m.longest != n.members[0].longest {
			return false
		}
	}
	return true
}

// frame reports whether n is a data frame written column by column, as pandas
// does: {"T": {"0": 1.5, "1": 2.5}, "P": {"0": 10, "1": 20}}.
func (n *node) frame() bool {
	if len(n.members) < 2 || n.any != nil || n.ordinal {
		return false
	}
	for _, m := range n.members {
		if m.objects != 1 || m.arrays+m.scalarCount() > 0 || !m.ordinal || m.keys != n.members[0].keys || !m.cells() {
			return false
		}
	}
	return true
}

// cells reports whether all members of n are scalars.
func (n *node) cells() bool {
	if n.any != nil {
		return n.any.onlyScalars()
	}
	for _, m := range n.members {
		if !m.onlyScalars() {
			return false
		}
	}
	return len(n.members) > 0
}

// entries returns the number of members of n, which occurs once.
func (n *node) entries() int {
	if n.any != nil {
		return int(n.any.scalarCount() + n.any.objects + n.any.arrays)
	}
	return len(n.members)
}

// describing are the keys of a data dictionary: what is said about a variable.
var describing = map[string]bool{
	"description": true, "unit": true, "units": true, "name": true, "long_name": true, "standard_name": true,
	"label": true, "title": true, "comment": true, "type": true, "dtype": true, "missing_value": true,
	"min": true, "max": true, "valid_min": true, "valid_max": true,
}

// dictionary reports whether n describes variables, key by key:
// {"T2m": {"description": "2-m air temperature", "units": "degree Celsius"}}.
func (n *node) dictionary() bool {
	var telling bool
	for _, m := range n.members {
		if m.objects == 0 || m.any != nil {
			return false
		}
		for _, k := range m.members {
			if !k.onlyScalars() || !describing[strings.ToLower(k.key)] {
				return false
			}
			telling = telling || isUnit(k.key) || strings.EqualFold(k.key, "description")
		}
	}
	return telling
}

func isUnit(key string) bool {
	return strings.EqualFold(key, "unit") || strings.EqualFold(key, "units")
}

// applyUnits gives columns the units that dictionaries of the document state
// for their names.
func (p *plan) applyUnits() {
	var all []*node
	p.root.dictionaries(&all)
	for _, t := range p.tables {
		last := t.name[strings.LastIndexByte(t.name, '.')+1:]
		for i := range t.cols {
			best := 0
			for _, d := range all {
				unit, score := d.unitOf(t.cols[i].name, last)
				if score > best {
					t.cols[i].unit, best = unit, score
				}
			}
		}
	}
}

func (n *node) dictionaries(all *[]*node) {
	const most = 100
	if n.role == metadata && n.objects > 0 && len(*all) < most {
		*all = append(*all, n)
	}
	for _, m := range n.members {
		m.dictionaries(all)
	}
}

// unitOf returns the unit that the dictionary n states for a variable. The
// score is higher when the dictionary's path names the table.
func (n *node) unitOf(variable, table string) (unit string, score int) {
	i, ok := n.find([]byte(variable))
	if !ok {
		return "", 0
	}
	for _, k := range n.members[i].members {
		if isUnit(k.key) && k.scalars[text] > 0 && !k.cut {
			unit, score = k.value, 1
		}
	}
	for m := n; m != nil && score == 1; m = m.parent {
		if m.key == table && table != "" {
			score = 2
		}
	}
	return unit, score
}
