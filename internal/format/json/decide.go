package json

import (
	"fmt"
	"sort"
	"strings"
)

// widest is the largest fixed-size array that becomes columns of its record: a
// 4 × 4 matrix.
const widest = 16

// decide gives every node its role and makes the tables.
func (p *plan) decide(w *planner) error {
	if p.form == document && p.root.objects == 1 {
		p.inDocument(p.root)
		if err := p.checkWidth(); err != nil {
			return err
		}
		if len(p.tables) > 0 {
			p.settle(w)
			return nil
		}
		forget(p.root)
	}
	p.form = p.form.orRecords()
	p.inRecord(p.root, p.newTable(p.root, p.root))
	if err := p.checkWidth(); err != nil {
		return err
	}
	p.settleLeads()
	return nil
}

// orRecords turns a document without tables into one record.
func (f form) orRecords() form {
	if f == document {
		return records
	}
	return f
}

// forget takes back what inDocument decided where it found no table.
func forget(n *node) {
	n.role, n.group, n.table, n.col = undecided, nil, nil, -1
	for _, m := range n.members {
		forget(m)
	}
	if n.elem != nil {
		forget(n.elem)
	}
}

// newTable makes the table whose rows are the values at base and whose name is
// the path of at.
func (p *plan) newTable(base, at *node) *table {
	t := &table{name: at.name(nil), base: base, limits: p.limits, index: len(p.tables)}
	p.tables = append(p.tables, t)
	return t
}

// child makes a table that hangs on the rows of parent.
func (p *plan) child(base, at *node, parent *table) *table {
	t := p.newTable(base, at)
	t.parent = parent
	parent.hasChildren = true
	return t
}

// inRecord decides the values at n, which belong to rows of t.
func (p *plan) inRecord(n *node, t *table) {
	odd := n == p.root && n.objects+n.arrays > 0 // scalars among records are bad rows
	if !odd && (n.scalarCount() > n.scalars[null] || n.empty() && n.scalars[null] > 0) {
		t.column(n)
	}
	if n.arrays > 0 && n.role == undecided && (n != p.root || n.objects == 0) {
		p.arrayInRecord(n, t)
	}
	if n.any != nil {
		p.inRecord(n.any, t)
		return
	}
	p.seriesInRecord(n, t)
	for _, m := range n.members {
		p.inRecord(m, t)
	}
}

func (p *plan) arrayInRecord(n *node, t *table) {
	switch e := n.elem; {
	case n.longest == 0:
	case n == p.root && e.onlyScalars():
		n.role = vector // a row of a list of rows
		declare(n, n.longest, t)
	case e.objects > 0:
		n.role, n.table = rows, p.child(e, n, t)
		p.inRecord(e, n.table)
	case n.width() > 0 && n.width() <= widest:
		p.vector(n, t)
	case e.onlyScalars() && e.numbers():
		n.role, n.table = rows, p.child(e, n, t)
		n.table.column(e)
	case e.width() > 0 && e.width() <= widest:
		n.role, n.table = rows, p.child(e, n, t)
		p.vector(e, n.table)
	default:
		n.role = verbatim
		t.column(n)
	}
}

// vector makes a column of each element of the fixed-size array n.
func (p *plan) vector(n *node, t *table) {
	n.role = vector
	if n.elem.onlyScalars() {
		declare(n, n.longest, t)
		return
	}
	for i := range n.longest {
		n.part(i).elem = n.elem.elem
		n.part(i).role = vector
		declare(n.part(i), n.elem.longest, t)
	}
}

func declare(n *node, width int, t *table) {
	for i := range width {
		t.column(n.part(i))
	}
}

// width returns the number of scalars in the array n, 0 if it varies or holds
// objects.
func (n *node) width() int {
	e := n.elem
	if e == nil || n.objects > 0 || n.scalarCount() > n.scalars[null] || n.shortest != n.longest {
		return 0
	}
	if e.onlyScalars() {
		return n.longest
	}
	return n.longest * e.width()
}

// plain reports whether n holds only arrays of scalars.
func (n *node) plain() bool {
	return n.arrays > 0 && n.longest > 0 && n.objects == 0 && n.scalarCount() == n.scalars[null] &&
		n.elem.onlyScalars()
}

// seriesInRecord makes tables of arrays that are equally long in every record:
// voltages beside currents.
func (p *plan) seriesInRecord(n *node, t *table) {
	var sets [][]*node
	at := make(map[[2]uint64]int)
	for _, m := range n.members {
		if !m.plain() || m.width() > 0 && m.width() <= widest || m.role != undecided {
			continue
		}
		k := [2]uint64{uint64(m.arrays), m.lengths}
		if i, ok := at[k]; ok {
			sets[i] = append(sets[i], m)
			continue
		}
		at[k] = len(sets)
		sets = append(sets, []*node{m})
	}
	for _, set := range sets {
		if len(set) > 1 {
			p.series(n, set, t)
		}
	}
}

// series makes one table of the arrays in set, members of n.
func (p *plan) series(n *node, set []*node, parent *table) {
	at := set[0]
	if parent == nil {
		at = n
	}
	g := &group{table: p.newTable(n, at)}
	g.table.parent = parent
	if parent != nil {
		parent.hasChildren = true
	}
	n.groups = append(n.groups, g)
	for _, m := range set {
		m.role, m.group = series, g
		g.table.column(m)
	}
	g.table.planned = int64(set[0].longest)
}

// inDocument finds the tables in an object that occurs once.
func (p *plan) inDocument(n *node) {
	switch {
	case n.dictionary():
		n.role = metadata
	case n.frame():
		p.series(n, n.members, nil)
		t := n.groups[0].table
		t.keyed, t.planned = true, int64(n.members[0].entries())
	case n.any != nil || n.mapOfLike():
		p.mapTable(n)
	default:
		p.seriesInDocument(n)
		for _, m := range n.members {
			if m.role == undecided {
				p.memberOfDocument(m)
			}
		}
	}
}

func (p *plan) memberOfDocument(m *node) {
	switch {
	case m.objects == 1 && m.arrays+m.scalarCount() == 0:
		p.inDocument(m)
	case m.arrays == 1 && m.objects+m.scalarCount() == 0 && m.tabular():
		p.listTable(m)
	default:
		m.role = metadata
	}
}

// tabular reports whether an array that occurs once is worth a table.
func (n *node) tabular() bool {
	return n.longest > 0 && (n.elem.objects+n.elem.arrays > 0 || n.longest > widest)
}

// listTable makes a table of the elements of n.
func (p *plan) listTable(n *node) {
	n.role, n.table = rows, p.newTable(n.elem, n)
	n.table.planned = n.rows
	e := n.elem
	switch {
	case e.objects > 0:
		p.inRecord(e, n.table)
	case e.arrays > 0 && e.elem != nil && e.elem.onlyScalars() && e.scalarCount() == 0:
		e.role = vector
		declare(e, e.longest, n.table)
	case e.arrays > 0:
		e.role = verbatim
		n.table.column(e)
	default:
		n.table.column(e)
	}
}

// mapTable makes a table with one row per member of n.
func (p *plan) mapTable(n *node) {
	members := int64(len(n.members))
	e := n.asMap()
	n.role, n.table = mapping, p.newTable(e, n)
	n.table.keyed = true
	n.table.planned = max(members, e.objects+e.arrays+e.scalarCount())
	if e.plain() && e.width() > 0 {
		e.role = vector
		declare(e, e.longest, n.table)
		return
	}
	p.inRecord(e, n.table)
}

// seriesInDocument makes tables of the arrays of n that are equally long. A
// single one must be long, for a short one says something about the document.
func (p *plan) seriesInDocument(n *node) {
	byLength := make(map[int][]*node)
	var order []int
	for _, m := range n.members {
		if m.plain() && m.arrays == 1 {
			if byLength[m.longest] == nil {
				order = append(order, m.longest)
			}
			byLength[m.longest] = append(byLength[m.longest], m)
		}
	}
	for i, length := range order {
		set := byLength[length]
		if len(set) > 1 || length > widest {
			p.series(n, set, nil)
			if i > 0 {
				n.groups[len(n.groups)-1].table.name = set[0].name(nil)
			}
		}
	}
}

// settle ends the planning of a document: the largest table first, units from
// the document's own description, the rest as a preamble.
func (p *plan) settle(w *planner) {
	p.applyUnits()
	p.settleLeads()
	var rest preamble
	rest.add(p.root)
	p.preamble = rest.String()
	if rest.cut || w.budget < 0 {
		p.notes = append(p.notes, note{code: codePreamble, count: 1})
	}
	if w.dups > 0 {
		p.notes = append(p.notes, note{code: codeDuplicate, count: w.dups})
	}
}

// settleLeads gives tables their leading columns and their order: the largest
// first, children behind all that are not.
func (p *plan) settleLeads() {
	sort.SliceStable(p.tables, func(i, j int) bool {
		a, b := p.tables[i], p.tables[j]
		if (a.parent == nil) != (b.parent == nil) {
			return a.parent == nil
		}
		return a.parent == nil && a.planned > b.planned
	})
	taken := make(map[string]bool)
	for i, t := range p.tables {
		t.index = i
		t.lead()
		for name, n := t.name, 2; taken[t.name]; n++ {
			t.name = fmt.Sprintf("%s.%d", name, n)
		}
		taken[t.name] = true
	}
}

func (p *plan) checkWidth() error {
	const mostTables = 1000
	if len(p.tables) > mostTables {
		return unsupported(fmt.Sprintf("holds more than %d tables", mostTables), "")
	}
	for _, t := range p.tables {
		if err := t.checkWidth(); err != nil {
			return err
		}
	}
	return nil
}

// preamble collects what a document says beside its tables.
type preamble struct {
	strings.Builder
	cut  bool
	full bool
}

const preambleSize = 64 << 10

func (b *preamble) add(n *node) {
	if b.full || n.role == rows || n.role == series || n.role == mapping {
		return
	}
	if n.scalarCount() > 0 {
		b.line(n)
	}
	if n.arrays > 0 {
		b.line(n)
	}
	for _, m := range n.members {
		b.add(m)
	}
}

func (b *preamble) line(n *node) {
	line := n.name(nil) + ": " + n.value + "\n"
	if b.Len()+len(line) > preambleSize {
		b.cut, b.full = true, true
		return
	}
	b.cut = b.cut || n.cut
	b.WriteString(line)
}
