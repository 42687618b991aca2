package text

import (
	"bytes"
	"math"
)

// sniffSize is how much of a file the dialect is decided from.
const sniffSize = 256 << 10

// sniffRows is how many rows of it are looked at.
const sniffRows = 500

// candidates are the delimiters tried, with a small preference that decides
// between ones that fit equally well.
var candidates = []struct {
	delim byte
	prior float64
}{{',', 1}, {'\t', 1.02}, {';', 1}, {'|', 0.95}, {blanks, 0.85}}

// sniff decides the dialect of a file that begins with sample. forced is a
// delimiter that was asked for, or 0.
func sniff(sample []byte, forced byte) dialect {
	if len(sample) > sniffSize {
		sample = sample[:sniffSize]
	}
	d := dialect{nl: '\n', delim: ','}
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		d.nl = '\r'
	}
	if k := bytes.LastIndexByte(sample, d.nl); k >= 0 {
		sample = sample[:k+1]
	}
	d.comment = commentMark(sample, d.nl)
	if rowsQuoted(sample, d.nl) {
		d.rowQuoted = true
		sample = unwrapRows(sample, d.nl)
	}
	if forced != 0 {
		d.delim = forced
		d.width, _ = d.fit(sample, 1)
		return d
	}
	best := 0.0
	for _, c := range candidates {
		try := d
		try.delim = c.delim
		width, score := try.fit(sample, c.prior)
		if score > best {
			best = score
			d.delim, d.width = c.delim, width
		}
	}
	if d.width < 2 {
		d.delim, d.width, d.single = ',', 1, true
	}
	return d
}

// commentMark returns the mark that the file's first lines are commented out
// with, or 0.
func commentMark(sample []byte, nl byte) byte {
	line := bytes.TrimLeft(sample, " \t\r\n")
	if len(line) == 0 || !bytes.ContainsRune([]byte("#%!"), rune(line[0])) {
		return 0
	}
	if line[0] == '#' && bytes.HasPrefix(line, []byte("#N/A")) {
		return 0
	}
	return line[0]
}

// rowsQuoted reports whether most lines are quoted as a whole, with the cells
// and their delimiters inside.
func rowsQuoted(sample []byte, nl byte) bool {
	lines, wrapped := 0, 0
	for len(sample) > 0 && lines < sniffRows {
		line := sample
		if k := bytes.IndexByte(sample, nl); k >= 0 {
			line = sample[:k+1]
		}
		sample = sample[len(line):]
		body := bytes.TrimRight(line, "\r\n")
		if len(body) == 0 {
			continue
		}
		lines++
		if len(body) > 2 && body[0] == '"' && body[len(body)-1] == '"' {
			inner := bytes.ReplaceAll(body[1:len(body)-1], []byte(`""`), nil)
			if bytes.IndexByte(inner, '"') < 0 && bytes.ContainsAny(inner, ",;\t|") {
				wrapped++
			}
		}
	}
	return wrapped*2 > lines && wrapped > 1
}

// fit returns the most common number of cells of the sample's rows and how well
// the delimiter fits: 0 not at all, 1 when every row has that number and no
// cell looks like several.
func (d *dialect) fit(sample []byte, prior float64) (width int, score float64) {
	head := headRows(sample, d.nl, sniffRows)
	p := d.careful(head[:len(head):len(head)]) // the bytes behind it belong to others
	counts := map[int]int{}
	total, several := 0, 0
	for i := range p.rows {
		if p.flags(i)&(blank|comment) != 0 {
			continue
		}
		total++
		if n := p.fields(i); n > 1 {
			several++
			counts[n]++
		}
	}
	if several == 0 {
		return 0, 0
	}
	most := 0
	for n, k := range counts {
		if k > most || k == most && n > width {
			width, most = n, k
		}
	}
	cover := 0.8*float64(most)/float64(total) + 0.2*float64(several)/float64(total)
	wide := 1 + 0.02*math.Log2(float64(width))
	return width, cover * d.cleanliness(&p, width) * prior * wide
}

func headRows(sample []byte, nl byte, n int) []byte {
	end := 0
	for range n {
		k := bytes.IndexByte(sample[end:], nl)
		if k < 0 {
			return sample
		}
		end += k + 1
	}
	return sample[:end]
}

// cleanliness is the part of cells that do not look like several.
func (d *dialect) cleanliness(p *parsed, width int) float64 {
	seen, clean := 0, 0
	for i := 0; i < p.rows && seen < 5000; i++ {
		if p.fields(i) != width || p.flags(i) != 0 {
			continue
		}
		for j := range width {
			seen++
			if d.cleanCell(p.cell(i, j)) {
				clean++
			}
		}
	}
	if seen == 0 {
		return 0.1
	}
	return float64(clean) / float64(seen)
}

// cleanCell reports whether a cell holds no other delimiter that seems to
// separate things.
func (d *dialect) cleanCell(b []byte) bool {
	switch d.delim {
	case '\t':
		return true
	case ',':
		return !bytes.ContainsAny(b, "\t;|") && !spacedNumbers(b)
	case ';':
		return !bytes.ContainsAny(b, "\t|") && bytes.Count(b, []byte{','}) < 3
	case '|':
		return !bytes.ContainsAny(b, "\t")
	}
	if !bytes.ContainsAny(b, ",;|") {
		return true
	}
	return classify(b) == numberCell && bytes.Count(b, []byte{','}) == 1
}

// spacedNumbers reports whether b is two numbers with blanks between them: what
// splitting "1,5 2,5" at its commas gives.
func spacedNumbers(b []byte) bool {
	parts := bytes.Fields(b)
	return len(parts) == 2 && classify(parts[0]) == numberCell && classify(parts[1]) == numberCell
}
