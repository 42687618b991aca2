package main

import (
	"strconv"

	"github.com/opengenesis/genesis"
)

type verifyCmd struct {
	Ref string `arg:"" help:"The version." placeholder:"REF"`
}

func (verifyCmd) Help() string {
	return `Reads every stored byte of the version again and compares it with the digests the
version was made with. Ends with status 1 when anything differs.

Examples:

    genesis verify turbines
    genesis verify turbines@3 --json`
}

func (cmd *verifyCmd) Run(a *app) error {
	c, ref, err := a.of(cmd.Ref)
	if err != nil {
		return err
	}
	m, stop := a.progress()
	v, err := c.Verify(a.ctx, ref, m.event)
	stop()
	if err != nil {
		return err
	}
	if err := a.print(v, func(p *printer) { printVerification(p, v) }); err != nil {
		return err
	}
	if len(v.Damage) > 0 {
		return &genesis.Error{Op: "verify", Kind: genesis.Internal, Subject: cmd.Ref, Msg: "is damaged: " + plural(int64(len(v.Damage)), "place") + " differ from what was stored",
			Hint: "prepare the version again from its sources, or restore the blobs named above from a backup"}
	}
	return nil
}

func printVerification(p *printer, v *genesis.Verification) {
	p.line("Verified %s", p.style.bold(versionText(v.Version)))
	p.field("blobs", count(int64(v.Blobs))+" ("+bytesText(v.Bytes)+")")
	p.field("columns", count(int64(v.Columns)))
	if len(v.Damage) == 0 {
		p.line("  %s", p.style.paint(codeGreen, "every byte is what it was"))
		return
	}
	p.heading("Damage")
	t := newTable("blob", ">offset", "table", "column", "what")
	for _, d := range v.Damage {
		offset := ""
		if d.Blob != "" {
			offset = strconv.FormatInt(d.Offset, 10)
		}
		t.add(cell{d.Blob.Short(), codeRed}, cell{offset, ""}, cell{d.Table, ""}, cell{d.Column, ""}, cell{d.Msg, ""})
	}
	t.print(p)
}
