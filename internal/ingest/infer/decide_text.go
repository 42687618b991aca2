package infer

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
)

// booleans are the pairs of words that mean true and false.
var booleans = [][2]string{{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"on", "off"}, {"wahr", "falsch"}, {"ja", "nein"}, {"oui", "non"}, {"vrai", "faux"}, {"是", "否"}}

// asBoolean decides a column that holds one such pair and nothing else.
func (c *decision) asBoolean() bool {
	if c.words.over || c.present() != c.counts[cWord] {
		return false
	}
	for _, pair := range booleans {
		if c.booleanPair(pair) {
			return true
		}
	}
	return false
}

// booleanPair decides a column whose words are all of one pair.
func (c *decision) booleanPair(pair [2]string) bool {
	var yes, no []string
	for i := range c.words.list {
		text := string(c.words.at(i))
		switch low := strings.ToLower(text); {
		case low == pair[0]:
			yes = append(yes, text)
		case low == pair[1]:
			no = append(no, text)
		case c.words.list[i].cell.class != cMissing:
			return false
		}
	}
	if known := pair[0] == "true"; len(yes)+len(no) == 0 || !known && (len(yes) == 0 || len(no) == 0) {
		return false
	}
	c.Column.Type = genesis.Boolean
	c.Reading.True, c.Reading.False = yes, no
	c.takeMissing(func(string) bool { return true })
	c.say("type", fmt.Sprintf("every cell is %s", strings.Join(append(yes, no...), " or ")))
	return true
}

// asText decides a column of words.
func (c *decision) asText() {
	c.takeMissing(c.strange)
	n := c.present() + c.counts[cMissing] - c.missingCount()
	distinct := c.sketch.distinct()
	exact := c.sketch.exact()
	if !c.words.over {
		distinct += int64(len(c.words.list) - len(c.missing))
	}
	about := ""
	if !exact {
		about = "about "
	}
	unique := c.unique(distinct, n)
	switch {
	case c.identifier(unique, n):
		c.Column.Type = genesis.Identifier
		c.say("type", c.why(fmt.Sprintf("%s%s different among %s", about, comma(distinct), cells(n))))
	case c.vocabulary(distinct, n):
		c.Column.Type = genesis.Categorical
		c.say("type", fmt.Sprintf("%s %s among %s", comma(distinct), plural(distinct, "value", "values"), cells(n)))
	default:
		c.Column.Type = genesis.Text
		c.say("type", fmt.Sprintf("%s%s different texts among %s", about, comma(distinct), cells(n)))
	}
	c.textFindings()
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// strange reports whether a missing word differs in look from the column's
// other words. If it looks like them, it is one of them: NA among two-letter
// codes, None among severities.
func (c *decision) strange(w string) bool {
	if c.words.over {
		return !weakWord(w)
	}
	var others, alike int
	for i := range c.words.list {
		if c.words.list[i].cell.class == cMissing {
			continue
		}
		others++
		if look(c.words.at(i)) == look([]byte(w)) {
			alike++
		}
	}
	if weakWord(w) {
		return false
	}
	return others < 3 || alike*2 < others || c.Decider.missing[w].count > c.counts[cWord]
}

// look is a word's length and the kinds of characters in it.
func look(b []byte) [2]int {
	kinds := 0
	for _, ch := range b {
		switch {
		case ch-'0' <= 9:
			kinds |= 1
		case ch >= 'A' && ch <= 'Z':
			kinds |= 2
		case ch >= 'a' && ch <= 'z':
			kinds |= 4
		default:
			kinds |= 8
		}
	}
	return [2]int{len(b), kinds}
}

// unique reports whether no cell repeats, as far as the sketch shows.
func (c *decision) unique(distinct, n int64) bool {
	if n < 2 {
		return false
	}
	if !c.words.over {
		for i := range c.words.list {
			if w := c.words.list[i]; w.count > 1 && !c.missing[string(c.words.at(i))] {
				return false
			}
		}
	}
	return c.sketch.repeated() == 0 && (distinct == n || !c.sketch.exact())
}

// identifier reports whether the column names rows or things.
func (c *decision) identifier(unique bool, n int64) bool {
	if c.counts[cWord] > 0 && c.most(fSmiles) && c.flagged[fBonds] > 0 || c.most(fFormula) && c.flagged[fCounts] > 0 && !c.idName() {
		return false
	}
	if c.numbersOnly() {
		return true // codes: decided by asNumber
	}
	if c.idName() {
		return c.lengths.max <= 128
	}
	codes := c.flagged[fCode] + c.counts[cInt]
	return unique && n >= 10 && codes == c.present() && c.lengths.max <= 40 && c.lengths.max-c.lengths.min <= 4
}

// numbersOnly reports whether every value is a plain whole number.
func (c *decision) numbersOnly() bool { return c.counts[cInt]+c.counts[cWide] == c.present() }

func (c *decision) why(distinct string) string {
	switch {
	case c.numbersOnly() && c.zeros > 0:
		return comma(c.zeros) + " numbers have leading zeros, which numbers lose; " + distinct
	case c.numbersOnly():
		return "numbers too long for 64 bits; " + distinct
	case c.idName():
		return "the name is that of an identifier; " + distinct
	}
	return "codes of one length, none repeated; " + distinct
}

// most reports whether nearly all words have a flag.
func (c *decision) most(f flag) bool {
	n := c.present()
	return n > 0 && c.flagged[f]*20 >= n*19
}

// vocabulary reports whether the values are so few that they are categories.
func (c *decision) vocabulary(distinct, n int64) bool {
	switch {
	case distinct >= n && n > 1, c.lengths.max > 4096:
		return false
	case distinct <= 20:
		return distinct*2 <= n || distinct <= 2 || n < 20 && distinct < n
	case distinct <= 100:
		return distinct*5 <= n
	}
	return distinct <= 1000 && distinct*20 <= n && c.lengths.max <= 200
}

// textFindings reports what is remarkable about words.
func (c *decision) textFindings() {
	c.money()
	if n := c.flagged[fGene]; n > 0 && (c.named("gene", "genes", "symbol", "symbols") || n*2 >= c.present() && n >= 2) {
		c.find("excel-gene", genesis.Warn, n, c.seen[cWord], fmt.Sprintf("%s look like gene names that a spreadsheet turned into dates, or will turn", cells(n)), "take the names from the source the spreadsheet was made from")
	}
	if n := c.flagged[fInjection]; n > 0 && !c.most(fSmiles) {
		c.find("formula", genesis.Note, n, nil, fmt.Sprintf("%s begin with =, +, - or @; exports to spreadsheets put a ' before them", cells(n)), "")
	}
	if n := c.counts[cClock]; n > 0 && few(c.present()-n, c.present()) {
		c.find("time-of-day", genesis.Note, n, nil, "the cells are times of day without a date; they are kept as text", "derive a timestamp from the column of dates and this one in the recipe")
	}
	for _, w := range sorted(c.Decider.missing) {
		if !c.missing[w] {
			f := c.find("missing-word-kept", genesis.Note, c.Decider.missing[w].count, nil, fmt.Sprintf("%q in %s is kept as a value, because it looks like the others", w, cells(c.Decider.missing[w].count)), "add it to the recipe's line missing if it means no value")
			f.ID += ":" + w
		}
	}
}
