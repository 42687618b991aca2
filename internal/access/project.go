package access

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// maxMembers is how many members a project may have.
const maxMembers = 10_000

// PutProject makes a project, or gives one that is there another lead, other
// members or another end. One that was ended stays so. The caller has decided that
// p.By may. Errors: Invalid, Conflict (it was ended).
func (d *Decider) PutProject(ctx context.Context, tx *sql.Tx, p genesis.Project) error {
	_, err := d.ChangeProject(ctx, tx, p.ID, func(now *genesis.Project) error {
		*now = p
		return nil
	})
	return err
}

// ChangeProject lets change edit a project that is there, or a new one that has its
// id alone. Errors: as of PutProject, and those of change.
func (d *Decider) ChangeProject(ctx context.Context, tx *sql.Tx, id string, change func(*genesis.Project) error) (genesis.Project, error) {
	p, err := readProject(ctx, tx, id)
	if genesis.KindOf(err) == genesis.NotFound {
		p, err = genesis.Project{ID: id}, nil
	}
	if err != nil {
		return p, err
	}
	if p.Ended {
		return p, &genesis.Error{Op: "put project", Kind: genesis.Conflict, Subject: id, Msg: "it was ended, and what was granted to it with it", Hint: "make a project of another id"}
	}
	p.At = time.Time{}
	if err := change(&p); err != nil {
		return p, err
	}
	if p.At.IsZero() {
		p.At = d.now().UTC()
	}
	if err := checkProject(p); err != nil {
		return p, err
	}
	return p, putProject(ctx, tx, p)
}

func checkProject(p genesis.Project) error {
	if _, is := elsewhere(p.ID); is || genesis.CheckProject(p.ID) != nil {
		return &genesis.Error{Op: "put project", Kind: genesis.Invalid, Subject: p.ID, Msg: "is not the id of a project",
			Hint: "write 1 to 64 of a-z, 0-9 and -, starting with a letter or digit"}
	}
	bad := func(msg string) error {
		return &genesis.Error{Op: "put project", Kind: genesis.Invalid, Subject: p.ID, Msg: msg}
	}
	switch {
	case p.Lead == "":
		return bad("a project has a lead")
	case p.By == "":
		return bad("a project names who made it")
	case len(p.Members) > maxMembers:
		return bad(fmt.Sprintf("a project has at most %d members", maxMembers))
	case max(len(p.Title), len(p.Purpose), len(p.Agreement), len(p.Results)) > maxText:
		return bad(fmt.Sprintf("its title, purpose or agreement is longer than %d bytes", maxText))
	}
	for _, m := range members(p) {
		if err := genesis.CheckPerson(m); err != nil {
			return err
		}
	}
	return nil
}

func putProject(ctx context.Context, tx *sql.Tx, p genesis.Project) error {
	body, err := encode(p)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO policy_projects (id, format, body) VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET format = excluded.format, body = excluded.body`, p.ID, format, body)
	}
	if err == nil {
		_, err = note(ctx, tx, changeProject, p.ID, "")
	}
	return store.Error("put project", p.ID, err)
}

// EndProject ends a project: grants to it reach nobody any more. Errors: NotFound.
func (d *Decider) EndProject(ctx context.Context, tx *sql.Tx, id string) (genesis.Project, error) {
	p, err := readProject(ctx, tx, id)
	if err != nil {
		return p, err
	}
	p.Ended = true
	return p, putProject(ctx, tx, p)
}

func readProject(ctx context.Context, q querier, id string) (genesis.Project, error) {
	p, err := one[genesis.Project](ctx, q, "SELECT format, body FROM policy_projects WHERE id = $1", id)
	return p, missing(err, &genesis.Error{Op: "read project", Kind: genesis.NotFound, Subject: id, Msg: "there is no such project", Hint: "`genesis project list` shows those there are"})
}

// Project returns a project, also one that has ended. Errors: NotFound, Internal.
func (d *Decider) Project(ctx context.Context, id string) (genesis.Project, error) {
	return readProject(ctx, d.db.Read(), id)
}

// ProjectTx is Project of what a transaction has.
func (d *Decider) ProjectTx(ctx context.Context, tx *sql.Tx, id string) (genesis.Project, error) {
	return readProject(ctx, tx, id)
}

// Projects lists all projects by id, also those that have ended. Who is in one is
// for its members, stewards and operators to know.
func (d *Decider) Projects(ctx context.Context) ([]genesis.Project, error) {
	rows, err := d.db.Read().QueryContext(ctx, "SELECT format, body FROM policy_projects ORDER BY id")
	if err != nil {
		return nil, store.Error("list projects", "", err)
	}
	var all []genesis.Project
	err = each(rows, func(p genesis.Project) { all = append(all, p) })
	return all, store.Error("list projects", "", err)
}

// ProjectsOf are the ids of the projects that somebody leads or is a member of now.
func (d *Decider) ProjectsOf(ctx context.Context, p genesis.PersonID) ([]string, error) {
	var ids []string
	err := d.locked(ctx, d.gen.Load(), func() error {
		in, _ := d.index.current(d.index.memberOf[d.canon(p)], d.now())
		ids = slices.Clone(in)
		return nil
	})
	return ids, err
}

// runs reports whether a project has not ended, by decision or by date.
func runs(p genesis.Project, now time.Time) bool {
	return !p.Ended && (p.Until.IsZero() || now.Before(p.Until))
}
