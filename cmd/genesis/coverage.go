package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// printCoverage says which nodes an answer covers: those with which something is wrong
// each on a line.
func printCoverage(p *printer, all []genesis.NodeCoverage) {
	if len(all) < 2 && (len(all) == 0 || all[0].Standing == "") {
		return // a node alone
	}
	now := all[0].Fresh // by the clock of the node that answers
	var good, bad []string
	for _, c := range all {
		if why := gaps(c, now); why != "" {
			bad = append(bad, clean(string(c.Node)+": "+why))
		} else {
			good = append(good, clean(string(c.Node)+" ("+ago(now.Sub(c.Fresh))+")"))
		}
	}
	if len(good) > 0 {
		p.line("%s", p.style.dim("covers "+strings.Join(good, ", ")))
	}
	for _, why := range bad {
		p.line("%s", p.style.paint(codeYellow, why))
	}
}

// late is how old a catalogue may be of which nothing is said: peers are looked at each
// minute.
const late = 5 * time.Minute

// gaps says what an answer lacks of a node, or "".
func gaps(c genesis.NodeCoverage, now time.Time) string {
	var all []string
	asOf := "its catalogue was not read to its end yet"
	if !c.Fresh.IsZero() {
		asOf = "its catalogue is known as of " + when(c.Fresh) + " (" + ago(now.Sub(c.Fresh)) + ")"
	}
	switch {
	case c.Standing == genesis.StandingUnread:
		all = append(all, because("nothing of its catalogue is known here yet", c.Cause))
	case c.Standing == genesis.StandingPartial:
		all = append(all, "its catalogue is still being read")
	case c.Standing == genesis.StandingFailing:
		all = append(all, because(asOf+" and could not be read since", c.Cause))
	case c.Standing != "":
		all = append(all, because(asOf+": its log is "+c.Standing, c.Cause))
	case now.Sub(c.Fresh) > late:
		all = append(all, asOf)
	}
	switch {
	case c.Asked && !c.Answered:
		all = append(all, "did not answer: "+c.Reason)
	case c.Reason != "":
		all = append(all, c.Reason)
	}
	return strings.Join(all, "; ")
}

func because(text, cause string) string {
	if cause == "" {
		return text
	}
	return text + ": " + cause
}

// ago says how long ago something was.
func ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
