package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

type auditCmd struct {
	Query  auditQueryCmd  `cmd:"" help:"List the audit log: who did what, what was refused."`
	Verify auditVerifyCmd `cmd:"" help:"Recompute hashes, consistency and signatures."`
	Forget auditForgetCmd `cmd:"" help:"Forget a person without breaking the log."`

	Reconcile   auditReconcileCmd   `cmd:"" help:"Compare acts of two nodes as both have them."`
	Checkpoints auditCheckpointsCmd `cmd:"" help:"List whose checkpoints this node keeps."`
}

type auditQueryCmd struct {
	Actor   genesis.PersonID `help:"What this person did." placeholder:"PERSON"`
	Subject string           `help:"What was done to this." placeholder:"NAME"`
	Act     string           `help:"read, train, grant, publish, sign-in, …; an unknown one is answered with all." placeholder:"ACT"`
	Outcome genesis.Outcome  `help:"allowed, refused or done." placeholder:"OUTCOME"`
	Project string           `help:"For this project." placeholder:"ID"`
	Since   past             `help:"Not before: 12h, 1d or 2w ago, a date, or a time." placeholder:"WHEN"`
	Until   past             `help:"Before; as --since." placeholder:"WHEN"`
	Limit   int              `help:"At most so many." default:"100" placeholder:"N"`
}

func (auditQueryCmd) Help() string {
	return `For officers: newest first. That you looked, and for what, is an entry, too.

Examples:

    genesis audit query --subject turbines --act read
    genesis audit query --actor nrel/ada --since 2027-01-01
    genesis audit query --outcome refused --since 1d
    genesis audit query --since 2027-01-31T12:00:00Z --until 12h`
}

func (cmd *auditQueryCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	page, err := c.Audit(a.ctx, genesis.AuditQuery{Actor: cmd.Actor, Subject: cmd.Subject, Act: cmd.Act, Outcome: cmd.Outcome,
		Project: cmd.Project, Since: cmd.Since.Time, Until: cmd.Until.Time, Limit: cmd.Limit})
	if err != nil {
		return err
	}
	return a.print(page, func(p *printer) {
		if len(page.Entries) == 0 {
			p.line("No entries.")
			return
		}
		t := newTable(">entry", "time", "who", "act", "outcome", "what", "version", "rule", "purpose")
		for _, e := range page.Entries {
			t.row(fmt.Sprint(e.Seq), toTheSecond(e.Time), e.Actor, e.Act, string(e.Outcome), e.Subject, e.Version.Short(), e.Rule, e.Purpose)
		}
		t.print(p)
	})
}

// toTheSecond writes the time of an entry: what came first matters.
func toTheSecond(t time.Time) string { return t.Local().Format(time.DateTime) }

// past is a point in time as people write it who look back: a time ago (30m, 12h,
// 1d, 2w), a date (00:00 UTC), or an RFC 3339 time.
type past struct{ time.Time }

var agoPattern = regexp.MustCompile(`^([1-9][0-9]{0,5})([mhdw])$`)

// UnmarshalText reads the text form.
func (t *past) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	if ago := agoPattern.FindStringSubmatch(text); ago != nil {
		n, _ := strconv.Atoi(ago[1])
		now := time.Now().UTC()
		switch ago[2] {
		case "m":
			t.Time = now.Add(-time.Duration(n) * time.Minute)
		case "h":
			t.Time = now.Add(-time.Duration(n) * time.Hour)
		case "d":
			t.Time = now.AddDate(0, 0, -n)
		case "w":
			t.Time = now.AddDate(0, 0, -7*n)
		}
		if t.Year() >= 1 {
			return nil
		}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			t.Time = at.UTC()
			return nil
		}
	}
	return &genesis.Error{Op: "read time", Kind: genesis.Invalid, Subject: text,
		Msg: "is not a time in the past like 30m, 12h, 1d or 2w for so long ago, 2027-01-31, or 2027-01-31T12:00:00Z"}
}

type auditVerifyCmd struct {
	Since past `help:"Only entries since: 12h, 1d or 2w ago, a date, or a time; if missing, all." placeholder:"WHEN"`
	Peers bool `help:"Hold the log against the checkpoints that the other members keep of it, instead."`
}

func (auditVerifyCmd) Help() string {
	return `Exits with 1 and names the first entry that does not hold. With --peers it asks the members of the
federation which checkpoints they keep of this log: whoever has the node's key can write a log anew
that verifies, and not what others keep.

Examples:

    genesis audit verify
    genesis audit verify --peers
    genesis audit verify --since 2027-01-01`
}

func (cmd *auditVerifyCmd) Run(a *app) error {
	if cmd.Peers {
		return a.verifyPeers()
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	m, stop := a.progress()
	v, err := c.AuditVerify(a.ctx, cmd.Since.Time, m.event)
	stop()
	if err != nil {
		return err
	}
	err = a.print(v, func(p *printer) {
		if v.Bad < 0 {
			p.line("sound: %s of %s entries recomputed", count(v.Checked), count(v.Entries))
		}
		if v.Epochs > 1 {
			p.field("epochs", fmt.Sprintf("%d; %s in the last", v.Epochs, count(v.Size)))
		}
		p.field("log", v.Origin)
		p.field("root", v.Root)
		a.printOdd(p, c)
	})
	if err == nil && v.Bad >= 0 {
		err = &genesis.Error{Op: "verify audit log", Kind: genesis.Internal, Subject: fmt.Sprintf("entry %d", v.Bad), Msg: v.Message,
			Hint: "keep the home as it is, and compare the log with a backup and with checkpoints that others hold"}
	}
	return err
}

type auditForgetCmd struct {
	Person genesis.PersonID `arg:"" help:"Who." placeholder:"PERSON"`
	Reason string           `help:"Why." required:"" placeholder:"TEXT"`
}

func (auditForgetCmd) Help() string {
	return `Entries stay and verify; whom they speak of can no longer be told.

Examples:

    genesis audit forget nrel/ada --reason "asked for it on 2027-02-01"`
}

func (cmd *auditForgetCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	if err := c.Forget(a.ctx, cmd.Person, cmd.Reason); err != nil {
		return err
	}
	return a.print(map[string]string{"forgotten": string(cmd.Person)}, func(p *printer) { p.line("forgot %s", clean(string(cmd.Person))) })
}

type purgeCmd struct {
	Ref    string `arg:"" help:"The version, with number or digest." placeholder:"REF"`
	Reason string `help:"Why." required:"" placeholder:"TEXT"`
	Yes    bool   `help:"Confirm: the bytes are gone for good." required:""`
}

func (purgeCmd) Help() string {
	return `For a spill: removes a version's bytes from this node at once and for good. A tombstone and
the evidence stay. What other versions share is kept, and named.

Examples:

    genesis purge turbines@3 --reason "spill 2027-14" --yes`
}

func (cmd *purgeCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	m, stop := a.progress()
	out, err := c.Purge(a.ctx, cmd.Ref, cmd.Reason, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(out, func(p *printer) {
		p.line("purged %s: %s in %s blobs", versionText(out.Version), bytesText(out.Bytes), count(out.Blobs))
		p.line("removed, too: what %s came to, and %s", plural(out.Runs, "run"), plural(out.Uploads, "upload"))
		for _, d := range out.Shared {
			p.field("kept", string(d)+" (other versions need it)")
		}
		for _, r := range out.Derived {
			p.field("made from it", shortRef(r))
		}
		p.line("%s", p.style.dim("backups made before still hold the bytes"))
	})
}

type gcCmd struct {
	DryRun bool `help:"Say what would be removed."`
}

func (gcCmd) Help() string {
	return `Bytes that nothing refers to go when they are older than seven days: a run that goes on may
still come to need them, and a prediction waits to be fetched. So do runs that ended longer ago
than runs.keep in config.yaml, with their logs.

Examples:

    genesis gc --dry-run
    genesis gc`
}

func (cmd *gcCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	m, stop := a.progress()
	out, err := c.Sweep(a.ctx, cmd.DryRun, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(out, func(p *printer) {
		verb := "removed"
		if out.DryRun {
			verb = "would remove"
		}
		p.line("%s %s blobs, %s; %s in use", verb, count(out.Blobs), bytesText(out.Bytes), count(out.Kept))
		if out.Young > 0 {
			p.line("%s younger than %d days wait: a run may still need them", count(out.Young), out.Grace/(24*60*60))
		}
		if out.Runs > 0 {
			p.line("%s %s old runs, %s of logs", verb, count(out.Runs), bytesText(out.LogBytes))
		}
	})
}
