package main

import (
	"slices"

	"github.com/opengenesis/genesis"
)

// place finds out where a model is applied, and how it is called there: here, unless it is
// another node's and only its use is allowed. Then it makes the command one at that node,
// if the rows may be sent.
func (cmd *predictCmd) place(a *app) (model string, err error) {
	ref, err := genesis.ParseRef(cmd.Model)
	if err != nil || ref.Node == "" {
		return cmd.Model, nil // the node says what is wrong with it
	}
	there := ref
	there.Node = ""
	if string(ref.Node) == a.at {
		return there.String(), nil
	}
	own, err := a.client.Node(a.ctx)
	if err != nil || own.Node == ref.Node {
		return there.String(), err
	}
	if err := cmd.isModel(a); err != nil {
		return "", err
	}
	if may, err := a.client.May(a.ctx, cmd.Model); err == nil && !may.Allows(genesis.Read) {
		return there.String(), cmd.send(a, ref, may)
	}
	m, stop := a.progress()
	got, err := a.client.Pull(a.ctx, genesis.PullRequest{Ref: cmd.Model}, m.event)
	stop()
	switch {
	case err == nil:
		return got.Version.Ref().String(), nil
	case genesis.KindOf(err) == genesis.Unavailable:
		return cmd.copyHere(a, ref, err)
	}
	return "", err
}

// isModel refuses what is known to be no model before any of it is copied. A node that does
// not say what it is may have a copy here.
func (cmd *predictCmd) isModel(a *app) error {
	c, ref, err := a.of(cmd.Model)
	if err != nil {
		return nil
	}
	d, err := c.Describe(a.ctx, ref)
	if err != nil || d.Version.Kind == genesis.Model {
		return nil
	}
	return &genesis.Error{Op: "predict", Kind: genesis.Invalid, Subject: cmd.Model, Msg: "is a dataset, not a model", Hint: "genesis list --kind model, or genesis search --kind model, lists models"}
}

// copyHere finds the copy of a model whose node does not answer.
func (cmd *predictCmd) copyHere(a *app, ref genesis.Ref, away error) (string, error) {
	who, err := a.client.WhoAmI(a.ctx)
	if err != nil {
		return "", away
	}
	for _, name := range genesis.CopyNames(ref, who.Subject, who.Has(genesis.DutySteward)) {
		d, err := a.client.Describe(a.ctx, string(name))
		if err != nil || d.Provenance == nil || d.Provenance.Copied == nil || !isCopy(*d.Provenance.Copied, ref) {
			continue
		}
		err = a.aside(func(p *printer) {
			p.line("%s does not answer: this is done with the copy of %s", clean(string(ref.Node)), when(d.Provenance.Copied.At))
		})
		return d.Version.Ref().String(), err
	}
	return "", away
}

// isCopy reports whether a copy is of what a reference names.
func isCopy(c genesis.Copied, of genesis.Ref) bool {
	return c.From.Node == of.Node && c.From.Name == of.Name && (of.Number == 0 || of.Number == c.Number) && (of.Digest == "" || of.Digest == c.From.Digest)
}

// send makes the command one at the model's node, to which the rows go, if that was asked
// for. Else it says what would be sent where. What would be refused there is not sent.
func (cmd *predictCmd) send(a *app, ref genesis.Ref, may *genesis.May) error {
	if !may.Allows(genesis.Infer) {
		return &genesis.Error{Op: "predict", Kind: genesis.Permission, Subject: cmd.Model, Msg: "you may not apply it now; nothing was sent",
			Hint: "`genesis terms " + cmd.Model + "` says what it takes; what it is for is said with `genesis --for PURPOSE predict …`"}
	}
	told := cmd.rows(a) + " will be sent to " + string(ref.Node) + "; not stored"
	kept := "they and what comes of them are deleted there once you have that, and an hour later at most" // genesis.KeepSent
	if !cmd.Send {
		return &genesis.Error{Op: "predict", Kind: genesis.Permission, Subject: cmd.Model, Msg: told + "; the model may not be copied, only applied there", Hint: "say --send if that is all right: " + kept}
	}
	there, err := a.client.At(a.ctx, ref.Node)
	if err != nil {
		return err
	}
	a.home, a.client, a.at = a.client, there, string(ref.Node)
	return a.aside(func(p *printer) { p.line("%s: %s", told, kept) })
}

// rows counts the rows of the files, here.
func (cmd *predictCmd) rows(a *app) string {
	if slices.Contains(cmd.Files, "-") { // it can be read once
		return "the rows"
	}
	refs, err := a.handOver("predict", cmd.Files)
	if err != nil {
		return "the rows"
	}
	found, err := a.client.Inspect(a.ctx, genesis.InspectRequest{Files: refs}, nil)
	if err != nil {
		return "the rows"
	}
	var n int64
	for _, t := range found.Tables {
		n += t.Rows
	}
	if found.Sampled {
		return "more than " + plural(n, "row")
	}
	return plural(n, "row")
}
