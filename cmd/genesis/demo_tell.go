package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// signIn is who may sign in at the nodes of the demo, while they are up.
type signIn struct {
	actor
	title, password string
}

// chapter begins a part of the story: what happens, in a few plain lines.
func (d *demo) chapter(title string, lines ...string) {
	d.tell(func(p *printer) {
		p.heading(title)
		for _, l := range lines {
			p.line("%s", l)
		}
	})
}

func (d *demo) tell(human func(p *printer)) {
	if !d.json {
		_ = d.print(nil, human) // whoever does not read it wants the outcome alone
	}
}

// does has somebody type a command that has to succeed and to print all of the words, and
// shows the lines that have one of them; none: no line.
func (d *demo) does(who actor, words []string, args ...string) (any, error) {
	d.prompt(who, args)
	result, printed, err := d.types(who, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", who, commandLine(args), err)
	}
	for _, w := range words {
		if !strings.Contains(printed, w) {
			return nil, d.broken(fmt.Sprintf("it prints %q", w))
		}
	}
	d.tell(func(p *printer) {
		for line := range strings.Lines(printed) {
			if line = strings.TrimRight(line, "\n"); hasAny(line, words) {
				p.line("    %s", p.style.dim(oneLine(line)))
			}
		}
	})
	return result, nil
}

// refusal is how a command has to be refused: of which kind, and in which words.
type refusal struct {
	kind  genesis.ErrorKind
	words []string // of the error and its hint
}

// refused has somebody type a command that must not succeed, for this reason and no other.
func (d *demo) refused(who actor, want refusal, args ...string) error {
	d.prompt(who, args)
	_, _, err := d.types(who, args...)
	var e *genesis.Error
	if !errors.As(err, &e) || e.Kind != want.kind {
		return fmt.Errorf("%s: %s: is not refused as it has to be, which is %q: %w", who, commandLine(args), want.kind, cmp.Or(err, errDone))
	}
	for _, w := range want.words {
		if !strings.Contains(e.Error()+"\n"+e.Hint, w) {
			return d.broken(fmt.Sprintf("the refusal says %q: %v", w, err))
		}
	}
	d.tell(func(p *printer) {
		p.line("    %s", p.style.paint(codeYellow, oneLine("refused: "+clean(e.Error()))))
		if e.Hint != "" {
			p.line("    %s", p.style.dim(oneLine("hint: "+clean(e.Hint))))
		}
	})
	d.shows("it is refused")
	return nil
}

// holds keeps that something did; if it does not, the demo ends.
func (d *demo) holds(it bool, text string) error {
	if !it {
		return d.broken(text)
	}
	d.shows(text)
	return nil
}

// errDone is why a command is not refused that succeeds.
var errDone = errors.New("it succeeds")

// broken says what did not hold of the last step.
func (d *demo) broken(text string) error {
	step := d.outcome.Steps[len(d.outcome.Steps)-1]
	return &genesis.Error{Op: "demo", Kind: genesis.Internal, Subject: step.Who + "$ " + step.Command, Msg: "it does not hold that " + text}
}

// shows keeps what the last step has shown.
func (d *demo) shows(text string) {
	step := &d.outcome.Steps[len(d.outcome.Steps)-1]
	step.Shows = append(step.Shows, text)
}

// prompt shows what somebody types.
func (d *demo) prompt(who actor, args []string) {
	shown := make([]string, len(args))
	for i, w := range args {
		w = strings.TrimPrefix(w, filepath.Join(d.dir, "files")+string(filepath.Separator))
		w = strings.TrimPrefix(w, d.dir+string(filepath.Separator))
		if short, long := strings.CutPrefix(w, "genesis-invitation."); long {
			w = "genesis-invitation." + short[:6] + "…"
		}
		shown[i] = w
	}
	d.outcome.Steps = append(d.outcome.Steps, demoStep{Who: who.name, At: string(who.at.id), Command: commandLine(shown), Shows: []string{}})
	d.tell(func(p *printer) { p.line("  %s %s", p.style.bold(who.String()+"$"), oneLine(commandLine(shown))) })
}

func hasAny(line string, words []string) bool {
	for _, w := range words {
		if strings.Contains(line, w) {
			return true
		}
	}
	return false
}

// oneLine keeps a line on one line of most terminals.
func oneLine(s string) string {
	const most = 110
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// epilogue says where to look around.
func (d *demo) epilogue(up bool) func(*printer) {
	return func(p *printer) {
		p.line("\nEvery step held: %s in %s.", plural(int64(len(d.outcome.Steps)), "command"), seconds(d.outcome.Seconds))
		if !up {
			p.line("Without --once the three nodes stay up. Next: genesis inspect YOUR-FILE")
			return
		}
		p.heading("The nodes are up until Ctrl-C")
		for _, s := range d.nodes {
			p.line("  %-10s %-26s %s", s.id, s.institution, s.url)
		}
		p.line("Sign in as one of these people: genesis login URL --subject NAME")
		for _, s := range d.signIns {
			p.line("  %-10s %-10s %-14s %s", s.at.id, s.name, s.password, s.title)
		}
		p.line("or as the owner of a node: genesis --home %s list", d.nodes[0].home)
	}
}

// until has somebody type a command, unseen, until what it gives is as it has to be.
func (d *demo) until(who actor, holds func(any) bool, args ...string) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		result, _, err := d.types(who, args...)
		if err != nil || holds(result) {
			return err
		}
		if time.Now().After(end) {
			return &genesis.Error{Op: "demo", Kind: genesis.Unavailable, Subject: who.String() + "$ " + commandLine(args), Msg: "what has to come does not"}
		}
	}
}
