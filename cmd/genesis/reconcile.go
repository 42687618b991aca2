package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

type auditReconcileCmd struct {
	Peer  genesis.NodeID `arg:"" help:"The member to compare with." placeholder:"NODE"`
	Since past           `help:"Acts not before: 12h, 30d or 2w ago, a date, or a time; if missing, 30d." placeholder:"WHEN"`
	Until past           `help:"And before; as --since." placeholder:"WHEN"`
}

func (auditReconcileCmd) Help() string {
	return `For officers: what this node and another both have in their audit logs, because both took part, is
compared: tokens with which people came from one to the other, messages, and copies of versions. Lists
what one of them alone knows, or both differently, with the number of the entry here. Exits with 1 when there is
something. That you asked is an entry at both nodes.

Examples:

    genesis audit reconcile nrel
    genesis audit reconcile nrel --since 2027-01-01 --until 2027-04-01`
}

func (cmd *auditReconcileCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	m, stop := a.progress()
	r, err := c.Reconcile(a.ctx, genesis.ReconcileRequest{Peer: cmd.Peer, From: cmd.Since.Time, Until: cmd.Until.Time}, m.event)
	stop()
	if err != nil {
		return err
	}
	if err := a.print(r, func(p *printer) { printReconciliation(p, r) }); err != nil || r.Sound() {
		return err
	}
	e := &genesis.Error{Op: "reconcile", Kind: genesis.Internal, Subject: string(r.Peer), Msg: "the two logs do not agree",
		Hint: "genesis audit query has what stands here; ask the officer of " + string(r.Peer) + " about the rest"}
	switch {
	case r.Log.Standing != genesis.WitnessGood && r.Log.Standing != genesis.WitnessRestored:
		e.Msg, e.Hint = "its audit log is "+string(r.Log.Standing)+": "+r.Log.Reason, "both checkpoints are kept; genesis audit checkpoints"
	case r.Cut != "" && len(r.Found) == 0:
		e.Msg, e.Hint = "its answer was not read to the end: "+r.Cut, "compare a shorter period, or ask its officer"
	}
	return e
}

func printReconciliation(p *printer, r *genesis.Reconciliation) {
	p.line("%s, %s to %s", clean(string(r.Peer)), r.From.UTC().Format(time.RFC3339), r.Until.UTC().Format(time.RFC3339))
	for _, k := range r.Kinds {
		p.field(string(k.Kind)+"s", sumsText(k))
	}
	p.field("its log", witnessedText(r.Log))
	if r.Unknown > 0 {
		p.field("forgotten", entriesText(r.Unknown)+" of which what was said is not known any more")
	}
	if r.Cut != "" {
		p.field("cut", clean(r.Cut))
	}
	if len(r.Found) == 0 {
		return
	}
	t := newTable("known", ">entry", "time", "act", "what is wrong", "id")
	for _, d := range r.Found {
		one, entry := d.Here, ""
		if one != nil {
			entry = fmt.Sprint(one.Seq)
		} else {
			one = d.There
		}
		known := map[string]string{"here": "here only", "there": "there only", "differ": "differs"}[d.What]
		t.row(known, entry, toTheSecond(one.Time), one.Act, d.Why, d.ID)
	}
	t.print(p)
	if r.More > 0 {
		p.line("and %s more", count(r.More))
	}
}

// sumsText says what was compared of one sort.
func sumsText(k genesis.ReconcileSums) string {
	parts := []string{count(k.Both) + " known to both"}
	for _, x := range []struct {
		n    int64
		what string
	}{{k.Refused, "refused, as both know"}, {k.Unused, "never used"}, {k.UnderWay, "may be under way"}, {k.Here, "known here only"},
		{k.There, "known there only"}, {k.Differ, "known differently"}} {
		if x.n > 0 {
			parts = append(parts, count(x.n)+" "+x.what)
		}
	}
	return strings.Join(parts, "; ")
}

// witnessedText says how it stands with the log of another node.
func witnessedText(w genesis.Witnessed) string {
	text := "its checkpoints are not kept here yet"
	if w.Point.Epoch > 0 {
		text = fmt.Sprintf("epoch %d, %s, proved to have grown since %s", w.Point.Epoch, entriesText(w.Point.Size), when(w.Since))
	}
	if w.Standing != genesis.WitnessGood {
		text += "; " + string(w.Standing) + ": " + clean(w.Reason)
	}
	return text
}

type auditCheckpointsCmd struct{}

func (auditCheckpointsCmd) Help() string {
	return `For officers: of which members' audit logs this node keeps checkpoints, since when, and whether the logs
are what they were. The newest is kept, and the last of each day for 400 days.

Examples:

    genesis audit checkpoints`
}

func (auditCheckpointsCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	all, err := c.AuditCheckpoints(a.ctx)
	if err != nil {
		return err
	}
	return a.print(all, func(p *printer) {
		if len(all.Nodes) == 0 {
			p.line("None: there are no other members, or the node does not serve.")
			return
		}
		t := newTable("node", ">epoch", ">entries", ">kept", "since", "seen", "standing", "")
		for _, w := range all.Nodes {
			note := w.Reason
			if w.Error != "" {
				note = w.Error
			}
			standing := cell{string(w.Standing), codeRed}
			if w.Standing == genesis.WitnessGood {
				standing = cell{"good", codeGreen}
			}
			t.add(cell{string(w.Node), codeBold}, cell{fmt.Sprint(w.Point.Epoch), ""}, cell{count(w.Point.Size), ""}, cell{fmt.Sprint(w.Kept), ""},
				cell{when(w.Since), ""}, cell{when(w.Seen), ""}, standing, cell{note, ""})
		}
		t.print(p)
	})
}

// printOdd names members whose audit logs are not what they were. A node that is older, or
// does not answer, says nothing of them.
func (a *app) printOdd(p *printer, c *client.Client) {
	all, err := c.AuditCheckpoints(a.ctx)
	if err != nil {
		return
	}
	for _, w := range all.Nodes {
		if w.Standing != genesis.WitnessGood {
			p.field("log of "+clean(string(w.Node)), string(w.Standing)+": "+w.Reason)
		}
	}
}

// verifyPeers holds the audit log against what members keep of it.
func (a *app) verifyPeers() error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	m, stop := a.progress()
	all, err := c.AuditPeers(a.ctx, m.event)
	stop()
	if err != nil {
		return err
	}
	if err := a.print(all, func(p *printer) { printPeers(p, all) }); err != nil {
		return err
	}
	for _, one := range all.Peers {
		if len(one.Wrong) > 0 {
			return &genesis.Error{Op: "verify audit log", Kind: genesis.Internal, Subject: string(one.Node), Msg: "it keeps a checkpoint that this log contradicts: " + one.Wrong[0],
				Hint: "keep the home as it is, and compare the log with a backup"}
		}
	}
	return nil
}

func printPeers(p *printer, all *genesis.PeerWitnesses) {
	if len(all.Peers) == 0 {
		p.line("No other member was asked.")
	}
	for _, one := range all.Peers {
		switch {
		case one.Error != "":
			p.field(clean(string(one.Node)), "not compared: "+clean(one.Error))
		case one.Kept == 0:
			p.field(clean(string(one.Node)), "keeps no checkpoint of this log yet")
		default:
			p.field(clean(string(one.Node)), fmt.Sprintf("%d of %s %s, since %s, up to %s of epoch %d", one.Held, plural(int64(one.Kept), "checkpoint"), holdWord(one.Held), when(one.First), entriesText(one.Newest.Size), one.Newest.Epoch))
		}
		for _, lines := range [][]string{one.Wrong, one.Lost, one.Odd} {
			for _, line := range lines {
				p.field("", clean(line))
			}
		}
	}
}

func holdWord(n int) string {
	if n == 1 {
		return "holds"
	}
	return "hold"
}
