package main

import (
	"bytes"
	"strings"
)

// equivalence is a change that nobody could notice, and why. Such a change is tried
// as all are; where no test fails, it is reported by itself and is not counted.
type equivalence struct {
	file, line string // what stands there, without the blanks around it
	what, why  string
}

var equivalents = []equivalence{
	{"internal/access/access.go", "d.gen.Add(1)", "1 becomes 2", "a generation is only compared with others"},
	{"internal/access/access.go", "for _, is := range []bool{p.Student, ask.Outside, p.Scopes == nil} {", "== becomes !=", "keys tell apart what they told apart"},
	{"internal/access/judge.go", "if d.index.gen < gen {", "< becomes <=", "following twice reads nothing new"},
	{"internal/access/judge.go", "out.Discoverable = v.allowed || q.action != genesis.Discover && q.discoverable()", "q.action != genesis.Discover becomes true", "the same question again has the same answer"},
	{"internal/access/page.go", `rows, err := q.QueryContext(ctx, fmt.Sprintf("SELECT format, body FROM %s%s ORDER BY seq DESC LIMIT %d", w.table, w.sql(), limit+1), w.values...)`, "1 becomes 2", "one row more is read and left out"},
	{"internal/access/watch.go", "const pulse = 500 * time.Millisecond", "500 becomes 501", "how often is for the machine to bear; within a second is promised"},
}

// why returns why nobody could notice a mutant, "" when somebody could.
func (m *Mutant) why() string {
	for _, e := range equivalents {
		if e.file == m.File && e.line == m.Source && e.what == m.What {
			return e.why
		}
	}
	return ""
}

// lineAt returns the line of a text in which an offset lies, without the blanks
// around it.
func lineAt(text []byte, offset int) string {
	from := 1 + bytes.LastIndexByte(text[:offset], '\n')
	line, _, _ := strings.Cut(string(text[from:]), "\n")
	return strings.TrimSpace(line)
}
