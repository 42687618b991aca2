package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/term"

	"github.com/opengenesis/genesis"
)

// printer writes for a person. Everything it prints may come from a stranger's
// file, so control characters never reach the terminal.
type printer struct {
	w     *bufio.Writer
	style style
	width int // columns of the terminal; 0: not a terminal
}

// line prints one line. Whatever text is put into it steers no terminal: what somebody
// forgets to clean is clean all the same.
func (p *printer) line(format string, args ...any) {
	safe := make([]any, len(args))
	for i, a := range args {
		safe[i] = p.safe(a)
	}
	fmt.Fprintf(p.w, format+"\n", safe...)
}

// safe is a text without what would steer a terminal, but for the colours of this program;
// what is no text is as it is.
func (p *printer) safe(a any) any {
	var text string
	switch v := a.(type) {
	case fmt.Stringer:
		text = v.String()
	case error:
		text = v.Error()
	default:
		if reflect.ValueOf(a).Kind() != reflect.String {
			return a
		}
		text = reflect.ValueOf(a).String()
	}
	if !p.style.on {
		return clean(text)
	}
	var b strings.Builder
	at := 0
	for _, own := range ownCodes.FindAllStringIndex(text, -1) {
		b.WriteString(clean(text[at:own[0]]) + text[own[0]:own[1]])
		at = own[1]
	}
	b.WriteString(clean(text[at:]))
	return b.String()
}

// ownCodes are what [style.paint] writes.
var ownCodes = regexp.MustCompile("\x1b\\[(?:0|1|2|31|32|33)m")

// heading begins a section.
func (p *printer) heading(text string) { p.line("\n%s", p.style.bold(text)) }

// field prints a name and a value, if there is one.
func (p *printer) field(name, value string) {
	if value != "" {
		p.line("  %s %s", p.style.dim(pad(name, 14)), clean(value))
	}
}

// clean makes text harmless on a terminal: control characters and those that
// reorder what is shown become visible stand-ins.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// word is a reference that somebody typed as a word on a shell's command line.
func word(ref string) string {
	if r, err := genesis.ParseRef(ref); err == nil {
		return r.Arg()
	}
	return clean(ref)
}

// style colours text, or not.
type style struct{ on bool }

func (s style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	codeBold   = "1"
	codeDim    = "2"
	codeRed    = "31"
	codeGreen  = "32"
	codeYellow = "33"
)

func (s style) bold(t string) string { return s.paint(codeBold, t) }
func (s style) dim(t string) string  { return s.paint(codeDim, t) }

// styleFor colours only on a terminal that wants it (https://no-color.org).
func styleFor(w io.Writer) style {
	return style{on: isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// widthOf returns the columns of a terminal, or 0.
func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
