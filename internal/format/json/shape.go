package json

import (
	"strconv"
	"strings"
)

// node is a place in the structure of a source: the member key of an object,
// or the elements of an array taken together. The planning pass counts what
// stands there; decide turns the counts into a role.
type node struct {
	key    string
	parent *node
	length int  // of the path
	many   bool // stands inside an array, so that it may occur often

	members []*node
	byKey   map[string]int // indexes of members, when they are many
	next    int            // where the following key is looked for first
	ordinal bool           // all keys are whole numbers
	keys    uint64         // hash of the keys in order, where n occurs once
	any     *node          // of an object read as a map: its members taken together
	elem    *node          // of an array: its elements taken together

	// What was seen here.
	scalars  [text + 1]int64
	objects  int64
	arrays   int64
	shortest int    // length of arrays
	longest  int    //
	lengths  uint64 // hash of their sequence
	rows     int64  // sum of their lengths
	value    string // of a scalar that occurs once
	cut      bool   // value is not all of it

	// What becomes of it.
	kind   kind // of the first scalar written that is not null
	role   role
	table  *table
	col    int // in the table its record belongs to; −1: none yet
	group  *group
	parts  []*node  // of a vector: one per element
	groups []*group // sets of members that run in parallel
}

// drifts reports whether a scalar is of another type than the first that was
// written from here.
func (n *node) drifts(k kind) bool {
	if k == special {
		k = number
	}
	if n.kind == null {
		n.kind = k
	}
	return k != null && k != n.kind
}

// role is what becomes of the containers at a node.
type role uint8

const (
	undecided role = iota // an array is kept as JSON text, an object flattened
	verbatim              // JSON text in one cell
	vector                // one column per element
	rows                  // one row of a table per element
	series                // one column of a table of arrays that run in parallel
	mapping               // one row of a table per member
	metadata              // goes into the preamble
)

// valueCut is how much of a scalar the plan remembers.
const valueCut = 1 << 10

func newNode(key string, parent *node, many bool) *node {
	n := &node{key: key, parent: parent, many: many, col: -1, shortest: -1}
	if parent != nil {
		n.length = parent.length
	}
	return n
}

// member returns the node of a key, making it if it is new. Records mostly
// have the same keys in the same order, which costs one comparison.
func (n *node) member(key []byte) *node {
	if n.any != nil {
		n.ordinal = n.ordinal && digits(key) == len(key)
		return n.any
	}
	if i := n.next; i < len(n.members) && n.members[i].key == string(key) {
		n.next++
		return n.members[i]
	}
	if i, ok := n.find(key); ok {
		n.next = i + 1
		return n.members[i]
	}
	m := newNode(string(key), n, n.many)
	n.append(m)
	n.next = len(n.members)
	return m
}

const fewMembers = 8

func (n *node) find(key []byte) (int, bool) {
	if n.byKey != nil {
		i, ok := n.byKey[string(key)]
		return i, ok
	}
	for i, m := range n.members {
		if m.key == string(key) {
			return i, true
		}
	}
	return 0, false
}

func (n *node) append(m *node) {
	n.ordinal = digits([]byte(m.key)) == len(m.key) && len(m.key) > 0 && (n.ordinal || len(n.members) == 0)
	n.members = append(n.members, m)
	if n.byKey != nil {
		n.byKey[m.key] = len(n.members) - 1
		return
	}
	if len(n.members) > fewMembers {
		n.byKey = make(map[string]int)
		for i, m := range n.members {
			n.byKey[m.key] = i
		}
	}
}

// element returns the node of an array's elements.
func (n *node) element() *node {
	if n.elem == nil {
		n.elem = newNode("", n, true)
	}
	return n.elem
}

// part returns the node of element i of a vector.
func (n *node) part(i int) *node {
	for len(n.parts) <= i {
		n.parts = append(n.parts, newNode(strconv.Itoa(len(n.parts)+1), n, true))
	}
	return n.parts[i]
}

// name returns the dotted path from the node of a record or a document, not
// included, to n.
func (n *node) name(from *node) string {
	var keys []string
	for m := n; m != nil && m != from; m = m.parent {
		if m.key != "" {
			keys = append(keys, m.key)
		}
	}
	for i, j := 0, len(keys)-1; i < j; i, j = i+1, j-1 {
		keys[i], keys[j] = keys[j], keys[i]
	}
	return strings.Join(keys, ".")
}

func (n *node) scalarCount() int64 {
	var sum int64
	for _, c := range n.scalars {
		sum += c
	}
	return sum
}

// onlyScalars reports whether nothing but scalars was seen at n.
func (n *node) onlyScalars() bool { return n.objects+n.arrays == 0 }

// empty reports whether nothing was seen at n, not counting null.
func (n *node) empty() bool { return n.objects+n.arrays+n.scalarCount() == n.scalars[null] }

// numbers reports whether only numbers, and nulls, were seen at n.
func (n *node) numbers() bool {
	return n.onlyScalars() && n.scalars[text]+n.scalars[boolean] == 0 && n.scalars[number]+n.scalars[special] > 0
}

// mixing is an odd constant that spreads hashes (the golden ratio).
const mixing = 0x9E3779B97F4A7C15

// sawArray counts an array of the given length.
func (n *node) sawArray(length int) {
	n.arrays++
	n.rows += int64(length)
	n.lengths = (n.lengths ^ uint64(length)) * mixing
	n.longest = max(n.longest, length)
	if n.shortest < 0 || length < n.shortest {
		n.shortest = length
	}
}

// sawScalar counts a scalar.
func (n *node) sawScalar(k kind, b []byte) {
	n.scalars[k]++
	if n.many {
		return
	}
	n.cut = len(b) > valueCut
	n.value = string(b[:min(len(b), valueCut)])
}

// merge adds what was seen at m to n: two members of a map.
func (n *node) merge(m *node) {
	for k, c := range m.scalars {
		n.scalars[k] += c
	}
	n.objects += m.objects
	if m.arrays > 0 {
		n.longest = max(n.longest, m.longest)
		if n.arrays == 0 || m.shortest < n.shortest {
			n.shortest = m.shortest
		}
		n.arrays, n.rows = n.arrays+m.arrays, n.rows+m.rows
		n.lengths = n.lengths*31 + m.lengths
	}
	for _, c := range m.members {
		n.member([]byte(c.key)).merge(c)
	}
	if m.elem != nil {
		n.element().merge(m.elem)
	}
	if m.any != nil {
		n.asMap().merge(m.any)
	}
}

// asMap takes the members of an object together.
func (n *node) asMap() *node {
	if n.any == nil {
		any := newNode("", n, true)
		for _, m := range n.members {
			any.merge(m)
		}
		n.any, n.members, n.byKey = any, nil, nil
	}
	return n.any
}
