package main

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/node"
)

type backupCmd struct {
	To     string `arg:"" help:"A folder, or a file ending in .tar.zst." placeholder:"DIR|FILE.tar.zst"`
	NoKeys bool   `help:"Leave out the node's keys."`
}

func (backupCmd) Help() string {
	return `Copies the home as it is at one moment, while it is served. A folder that holds
an earlier backup is brought up to date: only what is new is copied, and what
was erased since is removed. An archive is one file and is written anew each time.

A backup holds everything in readable form, the node's keys and restricted data
too: keep it as safe as the home. Its digest, which is printed, names exactly
this backup: restore --digest accepts no other.

Examples:

    genesis backup /mnt/backup/genesis
    genesis backup genesis-2027-01-31.tar.zst --no-keys`
}

func (cmd *backupCmd) Run(a *app) error {
	switch ext := strings.ToLower(filepath.Ext(cmd.To)); ext {
	case ".zip", ".tar", ".gz", ".tgz", ".zst", ".7z", ".xz", ".bz2":
		if !strings.HasSuffix(cmd.To, ".tar.zst") {
			return &genesis.Error{Op: "back up", Kind: genesis.Invalid, Subject: cmd.To, Msg: "archives are written as .tar.zst", Hint: "name a folder, or a file ending in .tar.zst"}
		}
	}
	to, err := filepath.Abs(cmd.To)
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	m, stop := a.progress()
	b, err := c.Backup(a.ctx, genesis.BackupRequest{Path: to, NoKeys: cmd.NoKeys}, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(b, func(p *printer) { printBackup(p, b) })
}

func printBackup(p *printer, b *genesis.Backup) {
	p.line("Backed up to %s", p.style.bold(clean(b.Path)))
	p.field("as of", b.Taken.Format(time.RFC3339))
	p.field("files", count(b.Files)+" ("+bytesText(b.Bytes)+"), of which "+count(b.NewFiles)+" are new ("+bytesText(b.NewBytes)+")")
	p.field("keys", keysText(b.Keys))
	p.field("digest", string(b.Digest))
}

func keysText(kept bool) string {
	if kept {
		return "in the backup: keep it as safe as the home"
	}
	return "not in the backup"
}

type restoreCmd struct {
	From   string         `arg:"" help:"A backup: a folder or a .tar.zst file." placeholder:"FROM"`
	Digest genesis.Digest `help:"Accept this backup only, by the digest that backup printed." placeholder:"DIGEST"`
	Check  bool           `help:"Read the whole backup and compare it with its digests; make no home."`
}

func (restoreCmd) Help() string {
	return `Makes a new home, named by --home, from a backup. Every file is compared with its
digest first; a damaged or incomplete backup is refused, and so is a home that
holds anything. When the home is first served its logs begin a new epoch, which
says that it was restored and from what.

Examples:

    genesis restore /mnt/backup/genesis --home /data/genesis
    genesis restore /mnt/backup/genesis --check`
}

func (cmd *restoreCmd) Run(a *app) error {
	m, stop := a.progress()
	r, err := cmd.restore(a, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(r, func(p *printer) { printRestored(p, r) })
}

func (cmd *restoreCmd) restore(a *app, p genesis.Progress) (*genesis.Restored, error) {
	if cmd.Check {
		return node.CheckBackup(a.ctx, cmd.From, cmd.Digest, p)
	}
	home := a.homePath
	if home == "" {
		var err error
		if home, err = node.DefaultHome(); err != nil {
			return nil, err
		}
	}
	return node.Restore(a.ctx, cmd.From, home, cmd.Digest, p)
}

func printRestored(p *printer, r *genesis.Restored) {
	if r.Home == "" {
		p.line("%s is whole", p.style.bold(clean(r.From)))
	} else {
		p.line("Restored %s", p.style.bold(clean(r.Home)))
	}
	p.field("node", string(r.Node))
	p.field("as of", r.Taken.Format(time.RFC3339))
	p.field("files", count(r.Files)+" ("+bytesText(r.Bytes)+")")
	p.field("keys", keysText(r.Keys))
	p.field("digest", string(r.Digest))
}
