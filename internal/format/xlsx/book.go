package xlsx

import (
	"bytes"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// book is what is known of a workbook before its sheets are read.
type book struct {
	*archive
	sheets   []sheet
	from1904 bool
	styles   []dateStyle // by the index of a cell's style
	strings  sharedStrings
}

// sheet is a worksheet.
type sheet struct {
	name   string
	part   string
	hidden bool
}

// sharedStrings are the texts that cells refer to by number.
type sharedStrings struct {
	buf  []byte
	ends []int
}

// stringBytes bounds the shared strings, which must be in memory.
const stringBytes = 192 << 20

func (s *sharedStrings) at(i int) ([]byte, bool) {
	if i < 0 || i >= len(s.ends) {
		return nil, false
	}
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	return s.buf[from:s.ends[i]], true
}

// relation is an entry of a relationships part.
type relation struct{ kind, target string }

func openBook(a *archive) (*book, error) {
	b := &book{archive: a}
	main, err := b.mainPart()
	if err != nil {
		return nil, err
	}
	relations, err := b.relations(main)
	if err != nil {
		return nil, err
	}
	if err := b.readWorkbook(main, relations); err != nil {
		return nil, err
	}
	for _, r := range relations {
		switch {
		case strings.HasSuffix(r.kind, "/styles"):
			err = b.each(r.target, b.styleReader())
		case strings.HasSuffix(r.kind, "/sharedStrings"):
			err = b.readStrings(r.target)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// mainPart returns the name of the workbook's own part.
func (b *book) mainPart() (string, error) {
	if b.files["xl/workbook.bin"] != nil {
		return "", unsupported("is a binary workbook (.xlsb), which is not read yet", "save it as .xlsx or .csv")
	}
	relations, err := b.relations("")
	if err != nil {
		return "", err
	}
	for _, r := range relations {
		if strings.HasSuffix(r.kind, "/officeDocument") {
			return r.target, nil
		}
	}
	return "xl/workbook.xml", nil
}

// relations reads the relationships of a part, by id. A part need not have any.
func (b *book) relations(of string) (map[string]relation, error) {
	dir, file := path.Split(of)
	part := dir + "_rels/" + file + ".rels"
	found := make(map[string]relation)
	if b.files[part] == nil {
		return found, nil
	}
	err := b.each(part, func(x *markup) error {
		if x.is("Relationship") {
			target := x.attrText("Target")
			if !strings.HasPrefix(target, "/") {
				target = path.Join(dir, target)
			}
			found[x.attrText("Id")] = relation{x.attrText("Type"), strings.TrimPrefix(target, "/")}
		}
		return nil
	})
	return found, err
}

// each calls do at the start of every element of a part.
func (b *book) each(part string, do func(*markup) error) error {
	x, content, err := b.open(part)
	if err != nil {
		return err
	}
	defer content.Close()
	for {
		kind, err := x.next()
		if err != nil || kind == eof {
			return err
		}
		if kind == start {
			if err := do(x); err != nil {
				return err
			}
		}
	}
}

func (b *book) readWorkbook(part string, relations map[string]relation) error {
	seen := make(map[string]bool)
	err := b.each(part, func(x *markup) error {
		switch {
		case x.is("workbookPr"):
			b.from1904 = isTrue(x.attr("date1904"))
		case x.is("sheet"):
			r := relations[x.attrText("id")]
			if !strings.HasSuffix(r.kind, "/worksheet") {
				return nil // a chart or a macro sheet has no cells
			}
			if seen[r.target] {
				return x.damaged("two sheets with one content")
			}
			seen[r.target] = true
			state := x.attrText("state")
			b.sheets = append(b.sheets, sheet{x.attrText("name"), r.target, state != "" && state != "visible"})
		}
		return nil
	})
	if err == nil && len(b.sheets) == 0 {
		err = invalid("is a workbook without worksheets", "")
	}
	return err
}

func isTrue(b []byte) bool { return string(b) == "1" || string(b) == "true" }

// choose keeps the named sheets only.
func (b *book) choose(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var kept []sheet
	var all []string
	for _, s := range b.sheets {
		all = append(all, strconv.Quote(s.name))
	}
	for _, name := range names {
		n := len(kept)
		for _, s := range b.sheets {
			if s.name == name {
				kept = append(kept, s)
			}
		}
		if len(kept) == n {
			return &genesis.Error{Kind: genesis.Invalid, Msg: fmt.Sprintf("has no sheet %q", name),
				Hint: "its sheets are " + strings.Join(all, ", ")}
		}
	}
	b.sheets = kept
	return nil
}

// styleReader collects which cell styles show times.
func (b *book) styleReader() func(*markup) error {
	const most = 1 << 16
	custom := make(map[int]dateStyle)
	var inCells bool
	return func(x *markup) error {
		switch {
		case x.is("numFmt") && len(custom) < most:
			id, _ := strconv.Atoi(string(x.attr("numFmtId")))
			custom[id] = styleOf(x.attrText("formatCode"))
		case x.is("cellXfs"), x.is("cellStyleXfs"), x.is("cellStyles"), x.is("dxfs"):
			inCells = x.is("cellXfs")
		case x.is("xf") && inCells && len(b.styles) < most:
			id, _ := strconv.Atoi(string(x.attr("numFmtId")))
			style, ok := custom[id]
			if !ok {
				style = builtinStyle(id)
			}
			b.styles = append(b.styles, style)
		}
		return nil
	}
}

func (b *book) readStrings(part string) error {
	x, content, err := b.open(part)
	if err != nil {
		return err
	}
	defer content.Close()
	for {
		kind, err := x.next()
		if err != nil || kind == eof {
			return err
		}
		if kind == start && x.is("si") {
			if b.strings.buf, err = appendRich(b.strings.buf, x); err != nil {
				return err
			}
			b.strings.ends = append(b.strings.ends, len(b.strings.buf))
			if len(b.strings.buf)+8*len(b.strings.ends) > stringBytes {
				return unsupported(fmt.Sprintf("has more than %d MiB of shared text", stringBytes>>20), "save the sheets as .csv")
			}
		}
	}
}

// appendRich appends the text of the element that was just started: of its t
// elements, without phonetic readings (rPh).
func appendRich(dst []byte, x *markup) ([]byte, error) {
	depth, from := x.depth, len(dst)
	var inText, phonetic bool
	for {
		kind, err := x.next()
		if err != nil {
			return dst, err
		}
		switch kind {
		case start:
			inText = x.is("t")
			phonetic = phonetic || x.is("rPh")
		case chars:
			if inText && !phonetic {
				dst = x.appendText(dst)
			}
		case end:
			inText = false
			if x.depth < depth {
				return append(dst[:from], unhex(dst[from:])...), nil
			}
			phonetic = phonetic && x.depth > depth
		case eof:
			return dst, x.damaged("the XML ends inside a text")
		}
	}
}

// unhex resolves _xHHHH_, by which workbooks write characters that XML cannot
// hold (ECMA-376, part 1, section 22.9.2.19), in place.
func unhex(b []byte) []byte {
	if !bytes.Contains(b, []byte("_x")) {
		return b
	}
	const length = len("_xHHHH_")
	out := b[:0]
	for i := 0; i < len(b); i++ {
		if b[i] == '_' && i+length <= len(b) && b[i+1] == 'x' && b[i+length-1] == '_' {
			if v, err := strconv.ParseUint(string(b[i+2:i+length-1]), 16, 16); err == nil {
				out = append(out, string(rune(v))...)
				i += length - 1
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}
