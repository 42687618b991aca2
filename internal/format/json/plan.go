package json

import (
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/opengenesis/genesis/internal/format"
)

// form is how a source holds its values.
type form uint8

const (
	document form = iota // one value, not an array: its tables lie inside
	records              // values one after another
	lines                // values one a line, which may be bad one by one
	list                 // one array of records
)

// plan says what becomes of a source. It is made from the whole of a document,
// and from the first sampleBytes of anything that repeats.
type plan struct {
	form     form
	root     *node // of a record, or of the document
	tables   []*table
	preamble string
	notes    []note
	limits   format.Limits
	census   census
}

const (
	sampleBytes  = 4 << 20
	uniformAt    = 256       // this many like members make an object a map
	valuesBudget = 256 << 10 // of scalars remembered for the preamble
)

// planner counts the structure of a source.
type planner struct {
	s      *scanner
	census *census
	budget int
	dups   int64
}

// value counts one value at n.
func (p *planner) value(n *node) error {
	switch p.s.peek() {
	case '{':
		return p.object(n)
	case '[':
		length := 0
		err := p.s.array(func(i int) error {
			length = i + 1
			if n.many {
				return p.value(n.element())
			}
			return p.quoted(n, i)
		})
		n.sawArray(length)
		return err
	}
	k, b, err := p.s.scalar()
	if err != nil {
		return err
	}
	if !n.many {
		b = p.afford(b)
	}
	n.sawScalar(k, b)
	return nil
}

// quoted counts element i of the array n, which occurs once, and remembers its
// spelling: if it is too short for a table it goes into the preamble.
func (p *planner) quoted(n *node, i int) error {
	if c := p.s.peek(); c == '{' || c == '[' || i > widest {
		return p.value(n.element())
	}
	k, b, err := p.s.scalar()
	if err != nil {
		return err
	}
	n.element().sawScalar(k, b)
	if i > 0 {
		n.value += ", "
	}
	n.value += string(p.afford(b[:min(len(b), valueCut)]))
	return nil
}

// afford cuts what is remembered of scalars that occur once to the budget.
func (p *planner) afford(b []byte) []byte {
	p.budget -= min(len(b), valueCut)
	if p.budget < 0 {
		return nil
	}
	return b
}

func (p *planner) object(n *node) error {
	n.objects++
	n.next = 0
	return p.s.object(func(key []byte) error {
		if !n.many {
			n.keys = (n.keys ^ xxh3.Hash(key)) * mixing
		}
		known := len(n.members)
		m := n.member(key)
		if len(n.members) > known {
			if err := p.census.admit(n, m, p.s.offset()); err != nil {
				return err
			}
		} else if !n.many && n.any == nil {
			p.dups++
		}
		if err := p.s.colon(); err != nil {
			return err
		}
		if err := p.value(m); err != nil {
			return err
		}
		if !n.many && n.any == nil && len(n.members) == uniformAt && n.uniform() && !n.frame() {
			n.asMap()
		}
		return nil
	})
}

// census bounds the structure of a source: what stands at how many places, and
// how long their names are.
type census struct {
	nodes, most int
	bytes       int
}

const (
	longestName = 4 << 10  // of a place, with its path
	nameBytes   = 64 << 20 // of all places
)

// admit accounts for m, a new member of n, which was found at an offset.
func (c *census) admit(n, m *node, offset int64) error {
	m.length = n.length + len(m.key) + 1
	c.nodes++
	c.bytes += m.length
	if c.nodes > c.most || len(n.members) > c.most {
		return unsupported(fmt.Sprintf("byte %d: more than %d different keys", offset, c.most), "raise the limit of columns")
	}
	if m.length > longestName || c.bytes > nameBytes {
		return unsupported(fmt.Sprintf("byte %d: keys of more than %d bytes, or %d MiB in all", offset, longestName, nameBytes>>20), "")
	}
	return nil
}

// makePlan reads as much of the source as deciding its tables needs.
func makePlan(s *scanner, lim format.Limits, lined bool) (*plan, error) {
	p := &plan{limits: lim}
	p.census.most = 4 * lim.Columns
	w := &planner{s: s, census: &p.census, budget: valuesBudget}
	var err error
	switch c := s.peek(); {
	case lined:
		p.form, p.root = lines, newNode("", nil, true)
		err = w.lines(p.root)
	case c == '[':
		p.form, p.root = list, newNode("", nil, true)
		err = w.list(p.root)
	default:
		err = p.surveyValues(w)
	}
	if err != nil {
		return nil, err
	}
	return p, p.decide(w)
}

// lines counts the good lines of the sample.
func (p *planner) lines(root *node) error {
	var one scanner
	for p.s.offset() < sampleBytes {
		line, err := p.s.line()
		if err != nil || line == nil {
			return err
		}
		one.maxDepth, one.note = p.s.maxDepth, p.s.note
		one.over(line, 0)
		if one.peek() == 0 || one.whole() != nil {
			continue
		}
		one.over(line, 0)
		q := *p
		q.s = &one
		if err := q.value(root); err != nil {
			return err
		}
	}
	return nil
}

// errSampled ends the survey of an array when enough was seen.
var errSampled = fmt.Errorf("sampled")

func (p *planner) list(root *node) error {
	err := p.s.array(func(i int) error {
		if i > 0 && p.s.offset() > sampleBytes {
			return errSampled
		}
		return p.value(root)
	})
	if err == errSampled {
		return nil
	}
	return err
}

// surveyValues tells one document from records that follow one another.
func (p *plan) surveyValues(w *planner) error {
	p.root = newNode("", nil, false)
	if err := w.value(p.root); err != nil {
		return err
	}
	if w.s.peek() == 0 && w.s.pos == w.s.end {
		return w.s.fail
	}
	p.form = records
	p.root.repeat()
	for w.s.offset() < sampleBytes && (w.s.peek() != 0 || w.s.pos < w.s.end) {
		if err := w.value(p.root); err != nil {
			return err
		}
	}
	return w.s.fail
}

// repeat marks n and what is below as occurring often.
func (n *node) repeat() {
	n.many, n.value = true, ""
	for _, m := range n.members {
		m.repeat()
	}
	if n.elem != nil {
		n.elem.repeat()
	}
}

// tableOf returns the table whose rows are the values at n.
func (p *plan) tableOf(n *node) *table {
	for _, t := range p.tables {
		if t.base == n {
			return t
		}
	}
	return nil
}
