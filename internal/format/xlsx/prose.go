package xlsx

import "strings"

// markProse tells blocks that say something about the tables of their sheet
// from the tables: single cells and lines of text, and lists of properties
// above a larger block.
func markProse(blocks []*block) {
	for _, b := range blocks {
		if b.rows > len(b.sample) {
			continue // more than is remembered, so nothing of it may be left out
		}
		b.prose = b.lines() || b.rows == 1 && len(blocks) > 1 || b.properties(blocks)
	}
}

// lines reports whether the block is text in one column without a number.
func (n *block) lines() bool { return n.usedColumns() == 1 && len(n.numbersIn()) == 0 }

// numbersIn returns the columns in which the block has numbers.
func (n *block) numbersIn() []int {
	var cols []int
	for c := n.col0; c <= n.col1; c++ {
		if n.numbers[c] > 0 {
			cols = append(cols, c)
		}
	}
	return cols
}

// properties reports whether the block is a list of keys and values above a
// larger block: "Operator:", "J. Smith".
func (n *block) properties(blocks []*block) bool {
	const most = 20
	if n.usedColumns() != 2 || n.rows > most || n.numbers[n.col0] > 0 || !n.largerBelow(blocks) {
		return false
	}
	colons := 0
	for _, r := range n.sample {
		if strings.HasSuffix(strings.TrimSpace(r.cells[0].text), ":") {
			colons++
		}
	}
	return 2*colons >= len(n.sample) || n.texts[n.col1] > 0 && n.numbers[n.col1] > 0 && n.sample[0].numeric() > 0 ||
		n.texts[n.col1] == len(n.sample)
}

func (n *block) largerBelow(blocks []*block) bool {
	for _, b := range blocks {
		if b.row0 > n.row1 && b.rows > n.rows && b.usedColumns() > 2 {
			return true
		}
	}
	return false
}

// preamble collects what workbooks say beside their tables, a row a line.
type preamble struct {
	strings.Builder
	cut bool
}

const preambleSize = 64 << 10

func (p *preamble) add(rows []sampleRow) {
	for _, r := range rows {
		texts := make([]string, len(r.cells))
		for i, c := range r.cells {
			texts[i] = c.text
		}
		line := strings.Join(texts, "\t") + "\n"
		if p.Len()+len(line) > preambleSize {
			p.cut = true
			return
		}
		p.WriteString(line)
	}
}
