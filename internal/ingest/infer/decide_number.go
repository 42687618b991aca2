package infer

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// numeric counts the cells that are numbers in one way or another.
type numeric struct {
	plain     int64 // integers, decimals, infinities
	grouped   int64 // read by the chosen grouping
	units     int64
	qualified int64
	odd       int64 // 0x1F: rejected, but meant as numbers
	others    int64
}

func (n numeric) all() int64 { return n.plain + n.grouped + n.units + n.qualified }

func (c *decision) countNumbers() numeric {
	n := numeric{odd: c.counts[cOdd]}
	n.plain = c.counts[cInt] + c.counts[cFloat] + c.counts[cWide] + c.counts[cTooLarge] + c.counts[cInf]
	fit := c.unitsFit()
	c.grouping = c.chooseGrouping(fit)
	n.grouped, n.qualified = c.grouped.count[c.grouping], c.qualified.count[c.grouping]
	n.plain += c.plainDecimals(c.grouping) - c.counts[cFloat]
	if fit {
		n.units = c.united.count[c.grouping]
	}
	n.others = c.present() - n.all() - n.odd
	return n
}

// chooseGrouping returns the grouping that reads the most cells; the plain one
// where no cell needs another.
func (c *decision) chooseGrouping(units bool) (best int) {
	reads := func(i int) int64 {
		n := c.grouped.count[i] + c.qualified.count[i] + c.plainDecimals(i)
		if units {
			n += c.united.count[i]
		}
		return n
	}
	for i := range groupings {
		if reads(i) > reads(best) {
			best = i
		}
	}
	// 1,234 in every cell: thousands, unless numbers of four digits stand there
	// without a separator, or other columns of the table have decimal commas.
	if best == 1 && reads(2) == reads(1) && c.counts[cFloat] == 0 && (c.whole > 0 || c.BesideCommas) {
		best = 2
	}
	return best
}

// plainDecimals is how many of the plain decimals a grouping reads: with a
// decimal comma, those that are groups of three or have no point.
func (c *decision) plainDecimals(i int) int64 {
	switch g := groupings[i]; {
	case g.decimal == '.':
		return c.counts[cFloat]
	case g.thousands == '.':
		return c.dotted + c.scaled
	}
	return c.scaled
}

// Commas reports whether cells of the column have decimal commas beyond doubt: 9,3 can
// be nothing else.
func (d *Decider) Commas() bool {
	return d.grouped.count[2] > d.grouped.count[1] && d.counts[cFloat] == 0
}

// broken is how many plain or grouped numbers are none in digits alone.
func (c *decision) broken() int64 {
	n := c.grouped.broken[c.grouping] + c.plainDecimals(c.grouping)
	if groupings[c.grouping].thousands == '.' {
		n -= c.dotted
	}
	return n
}

// ambiguousGrouping reports whether thousands and decimal comma both read every
// grouped cell.
func (c *decision) ambiguousGrouping() bool {
	n := c.counts[cGrouped]
	return n > 0 && !c.BesideCommas && c.grouped.count[1] == n && c.grouped.count[2] == n && c.counts[cFloat] == 0
}

// columnUnit is the unit that units row or header state.
func (c *decision) columnUnit() string {
	if c.raw.Unit != "" {
		if code, ok := unit.ParseFor(c.raw.Unit, c.header.Name); ok {
			return code
		}
	}
	return c.header.UCUM
}

// unitsFit reports whether the units inside cells are units of this column:
// commensurable with its own, else with one another, and not letters that
// belong to codes such as seat 12A.
func (c *decision) unitsFit() bool {
	if c.manyUnits || len(c.Decider.units) == 0 {
		return false
	}
	like := c.columnUnit()
	stated := like != ""
	for _, s := range c.unitSpellings() {
		code, ok := unit.ParseLike(s, like)
		if !ok {
			return false
		}
		if like == "" {
			like = code
		}
		t := c.Decider.units[s]
		if !stated && len(s) == 1 && s != "%" && t.spaced*2 < t.count {
			return false
		}
	}
	return true
}

// unitSpellings are the units met inside cells, the most frequent first.
func (c *decision) unitSpellings() []string {
	out := sorted(c.Decider.units)
	for i := 1; i < len(out); i++ {
		for j := i; j > 0 && c.Decider.units[out[j]].count > c.Decider.units[out[j-1]].count; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

// asNumber decides a column of numbers.
func (c *decision) asNumber() bool {
	n := c.countNumbers()
	if n.all() == 0 {
		return false
	}
	words := c.repeatedWords(n)
	for _, w := range words {
		n.others -= c.texts[w].count
	}
	if !few(n.others, n.all()+n.odd+n.others) || c.codes(n) {
		return false
	}
	c.takeMissing(func(string) bool { return true })
	c.takeWords(words)
	c.numberType(n)
	c.sentinels()
	c.numberForms(n)
	c.badNumbers(n)
	c.precision()
	c.leadingZeros()
	return true
}

// codes reports whether the numbers are codes: with leading zeros that would
// be lost, or too long for a number.
func (c *decision) codes(n numeric) bool {
	if c.broken() > 0 || n.units > 0 || n.qualified > 0 {
		return false
	}
	if c.counts[cWide]*2 > n.plain || c.wideWhole(n) && !few(c.counts[cWide], n.all()) {
		return true
	}
	if c.idName() && c.counts[cInt] == n.all() && !c.order.counting() {
		return true
	}
	if c.zeros == 0 || c.paddedNumbers() {
		return false
	}
	return c.lengths.min == c.lengths.max || c.idName()
}

// repeatedWords returns the words that stand again and again in a column of
// numbers, which therefore mean "no value" rather than a slip.
func (c *decision) repeatedWords(n numeric) []string {
	if c.manyTexts || len(c.texts) == 0 || n.all() < c.counts[cWord] || !c.various() {
		return nil
	}
	for text, t := range c.texts {
		if t.count < 2 || codeLike([]byte(text)) {
			return nil
		}
	}
	found := sorted(c.texts)
	sort.SliceStable(found, func(i, j int) bool { return c.texts[found[i]].first < c.texts[found[j]].first })
	return found
}

// various reports whether there are ten different numbers or more.
func (c *decision) various() bool {
	n := c.sketch.distinct()
	for i := range c.words.list {
		switch c.words.list[i].cell.class {
		case cGrouped, cUnit, cQualified:
			n++
		}
	}
	return n >= 10
}

// takeWords takes repeated words as meaning "no value".
func (c *decision) takeWords(found []string) {
	for _, text := range found {
		w := c.texts[text]
		c.missing[text] = true
		c.Reading.Missing = append(c.Reading.Missing, text)
		c.say("missing", join(c.Evidence["missing"], fmt.Sprintf("%q in %s", text, cells(w.count))))
		f := c.find("missing-word", genesis.Warn, w.count, nil, fmt.Sprintf("%q stands in %s of a column of numbers and is taken as missing", text, cells(w.count)), "take it out of the recipe's line missing to reject the cells instead")
		f.ID += ":" + text
		f.Rows = []int64{w.first}
	}
}

// numberType decides between integer and float.
func (c *decision) numberType(n numeric) {
	total := c.present()
	c.Column.Type = genesis.Float
	if c.counts[cInt] == total-n.others-n.odd && n.all() == n.plain && c.counts[cInt] > 0 {
		c.Column.Type = genesis.Integer
		c.say("type", fmt.Sprintf("%s of %s are whole numbers", comma(c.counts[cInt]), cells(total)))
		return
	}
	if c.wideWhole(n) && n.all() == total-n.others-n.odd { // the few wide ones are rejected: floats would change others
		c.Column.Type = genesis.Integer
		c.say("type", fmt.Sprintf("%s of %s are whole numbers of 64 bits", comma(c.counts[cInt]), cells(total)))
		return
	}
	if n.grouped > 0 && groupings[c.grouping].thousands != 0 && c.broken()+n.units+n.qualified+c.counts[cInf]+c.counts[cWide]+c.counts[cTooLarge] == 0 {
		c.Column.Type = genesis.Integer
	}
	c.say("type", fmt.Sprintf("%s of %s are decimal numbers", comma(n.all()), cells(total)))
}

// numberForms decides marks, separators, units in cells and qualifiers.
func (c *decision) numberForms(n numeric) {
	if c.grouping > 0 {
		c.sayGrouping(n)
	}
	if n.units > 0 || n.qualified > 0 && len(c.Decider.units) > 0 && c.unitsFit() {
		c.cellUnits(n)
	}
	if n.qualified > 0 {
		c.Reading.Qualified = true
		c.Column.Type = genesis.Float
		c.say("qualified", fmt.Sprintf("%s are a number with <, >, ≤, ≥ or ~ before it", cells(n.qualified)))
		c.find("qualified", genesis.Note, n.qualified, c.seen[cQualified],
			fmt.Sprintf("%s say that the value is beyond or about a number; the mark goes into %s_qualifier", cells(n.qualified), c.label), "")
		c.MoreColumns = append(c.MoreColumns, genesis.Column{Name: c.label + "_qualifier", Type: genesis.Categorical, Role: genesis.Qualifier, QualifierOf: c.label,
			Description: "how the value of " + c.label + " is meant: <, >, <=, >= or ~; none: exactly"})
	}
}

func (c *decision) sayGrouping(n numeric) {
	g := groupings[c.grouping]
	count, pointed := n.grouped, c.grouped.count[1]
	if count == 0 { // it is marked cells, or those with units, that ask for it
		count, pointed = n.qualified+n.units, c.qualified.count[1]+c.united.count[1]
	}
	if g.decimal == ',' {
		c.Reading.Decimal = ","
		c.say("decimal", fmt.Sprintf("%s read with a decimal comma; with a point %s would", cells(count), comma(pointed)))
	}
	if g.thousands != 0 {
		c.Reading.Thousands = string(rune(g.thousands))
		c.say("thousands", fmt.Sprintf("in %s groups of three digits are set apart by %q", cells(count), c.Reading.Thousands))
	}
	if c.ambiguousGrouping() {
		chosen := "thousands separators"
		if g.thousands == 0 {
			chosen = "decimal commas"
		}
		c.find("ambiguous-number", genesis.Warn, n.grouped, c.seen[cGrouped], fmt.Sprintf("the commas of %s may be decimal commas or thousands separators; they are taken for %s", cells(n.grouped), chosen), `set decimal: "," or thousands: "," in the recipe`)
	}
}

func (c *decision) cellUnits(n numeric) {
	spellings := c.unitSpellings()
	c.Reading.CellUnits = spellings
	c.Column.Type = genesis.Float
	var said []string
	for _, s := range spellings {
		said = append(said, fmt.Sprintf("%q in %s", s, cells(c.Decider.units[s].count)))
	}
	c.say("cell_units", strings.Join(said, ", "))
	at := c.seen[cUnit]
	if at == nil {
		at = c.seen[cQualified]
	}
	to := c.columnUnit()
	if to == "" {
		to, _ = unit.ParseLike(spellings[0], "")
	}
	c.find("unit-in-cell", genesis.Warn, n.units, at, fmt.Sprintf("%s carry their unit (%s); they are converted to %s", cells(n.units), strings.Join(spellings, ", "), to), "")
	c.bareNumbers(n, spellings, to)
}

// bareNumbers decides about the cells without a unit beside those that carry one.
// Where neither the header nor the other cells say which unit is meant, it is none:
// 22 between 21.5 °C and 70 °F may be either.
func (c *decision) bareNumbers(n numeric, spellings []string, to string) {
	if c.columnUnit() != "" {
		return // it is that of the header
	}
	bare := n.plain + n.grouped + c.bareMarks - c.coded
	listed := strings.Join(spellings, ", ")
	if mixed(spellings, to) {
		c.Reading.BareUnit = NoBareUnit
		c.say("bare_unit", fmt.Sprintf("the cells have several units (%s)", listed))
		if bare > 0 {
			c.find("bare-number", genesis.Warn, bare, &c.bare, fmt.Sprintf("%s carry no unit where the others have several (%s); they are rejected", cells(bare), listed),
				"say in the recipe which unit they have: bare_unit: "+strconv.Quote(spellings[0]))
		}
		return
	}
	if bare > 0 {
		c.find("bare-number", genesis.Warn, bare, &c.bare, fmt.Sprintf("%s carry no unit where others do; they are taken to be in %s, too", cells(bare), to),
			"say in the recipe which unit they have, or set them aside: bare_unit: none")
	}
}

// mixed reports whether the spellings are of more than one unit.
func mixed(spellings []string, to string) bool {
	return slices.ContainsFunc(spellings, func(s string) bool {
		code, _ := unit.ParseLike(s, to)
		return code != to
	})
}

// badNumbers reports the cells that the converter will reject.
func (c *decision) badNumbers(n numeric) {
	tooLarge := c.counts[cTooLarge]
	if c.Column.Type == genesis.Integer {
		tooLarge += c.counts[cWide]
	}
	if bad := n.others + n.odd + tooLarge; bad > 0 {
		s := &seen{}
		for _, class := range []cellClass{cWord, cOdd, cTooLarge, cWide, cTime, cClock, cUnit, cGrouped, cQualified} {
			if from := c.seen[class]; from != nil && !(class == cUnit && n.units > 0) && !(class == cGrouped && n.grouped > 0) && !(class == cQualified && n.qualified > 0) && !(class == cWord && n.others == 0) && !(class == cWide && c.Column.Type != genesis.Integer) {
				for _, row := range from.rows[:from.n] {
					s.add(row)
				}
			}
		}
		c.find("not-a-number", genesis.Warn, bad, s, fmt.Sprintf("%s of a column of numbers cannot be read as one%s; they are rejected", cells(bad), c.spellings()), "look at the rejects, or set type: text in the recipe")
	}
	if inf := c.counts[cInf]; inf > 0 {
		c.find("infinite", genesis.Warn, inf, c.seen[cInf], fmt.Sprintf("%s hold an infinite number", cells(inf)), "list the spelling under missing if it means no value")
	}
}

// spellings names a few of the cells that are no numbers and why.
func (c *decision) spellings() string {
	var out []string
	for i := range c.words.list {
		if w := c.words.list[i]; (w.cell.class == cOdd || w.cell.class == cWord && !c.missing[string(c.words.at(i))]) && len(out) < 5 {
			out = append(out, fmt.Sprintf("%q", shortened(c.words.at(i))))
		}
	}
	if c.counts[cTooLarge] > 0 || c.counts[cWide] > 0 && c.Column.Type == genesis.Integer {
		out = append(out, "a number too large for 64 bits")
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

func shortened(b []byte) string {
	if len(b) > 24 {
		return strings.ToValidUTF8(string(b[:24]), "") + "…"
	}
	return string(b)
}

// sentinels decides which extreme numbers mean "no value".
func (c *decision) sentinels() {
	plain, all := c.numbers()
	found, lo, hi, ok := sentinels(&all, c.present())
	c.rest.lo, c.rest.hi, c.rest.ok, c.rest.none = lo, hi, ok, !ok && len(found) > 0
	for _, e := range found {
		if e, ok = plain.at(e.value); !ok { // only behind a mark, where it is a bound
			continue
		}
		c.coded += e.count
		if united := c.united.values[c.grouping]; united != nil {
			u, _ := united.at(e.value)
			c.coded -= u.count
		}
		text := c.spelledCode(e.value)
		c.Reading.Missing = append(c.Reading.Missing, text)
		between := "and no other number is there"
		if c.rest.ok {
			between = fmt.Sprintf("far from all others, which lie between %s and %s", number(lo), number(hi))
		}
		why := fmt.Sprintf("%s in %s, %s", text, cells(e.count), between)
		c.say("missing", join(c.Evidence["missing"], why))
		f := c.find("sentinel", genesis.Warn, e.count, nil, fmt.Sprintf("%s stands in %s, %s: it is taken to mean no value", text, cells(e.count), between), "take it out of the recipe's line missing if it is a value")
		f.ID += ":" + text
		f.Rows = []int64{e.first}
	}
}

// numbers are the extremes as the chosen grouping reads the cells: without and
// with those that carry a mark, which are no codes.
func (c *decision) numbers() (plain, all extremes) {
	plain = c.values
	g := groupings[c.grouping]
	switch {
	case g.decimal == '.':
		plain.merge(&c.points)
	case g.thousands == '.':
		plain.merge(&c.dots)
	}
	for _, x := range []*extremes{c.grouped.values[c.grouping], c.united.values[c.grouping]} {
		if x != nil {
			plain.merge(x)
		}
	}
	all = plain
	if x := c.qualified.values[c.grouping]; x != nil {
		all.merge(x)
	}
	return plain, all
}

// spelledCode writes a code with the column's decimal mark.
func (c *decision) spelledCode(v float64) string {
	text := spelledNumber(v)
	if groupings[c.grouping].decimal == ',' {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text
}

// spelledNumber writes a code as sources do: -9999.9, 1e+20.
func spelledNumber(v float64) string {
	if math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return number(v)
}
