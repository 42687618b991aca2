package access

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// maxTeams is for how many projects one version may be made.
const maxTeams = 100

// MadeFor stores that a version was made for a project: its people may use it as who made
// it, as long as they are in it. The caller has decided that whoever makes it may, and is
// in the project. Errors: Invalid, Unsupported (too many projects).
func (d *Decider) MadeFor(ctx context.Context, tx *sql.Tx, r Resource, project string) error {
	if err := genesis.CheckProject(project); err != nil {
		return err
	}
	if err := checkVersion(assetKey{r.Name, r.Version}); err != nil {
		return err
	}
	teams, err := readTeams(ctx, tx, assetKey{r.Name, r.Version})
	if err != nil {
		return err
	}
	if len(teams) >= maxTeams {
		return &genesis.Error{Op: "make version", Kind: genesis.Unsupported, Subject: string(r.Name), Msg: fmt.Sprintf("it was made for %d projects already", maxTeams)}
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO policy_teams (name, version, project) VALUES ($1, $2, $3) ON CONFLICT (name, version, project) DO NOTHING",
		string(r.Name), string(r.Version), d.ownProject(project))
	if err == nil {
		_, err = note(ctx, tx, changeAsset, string(r.Name), string(r.Version))
	}
	return store.Error("make version", string(r.Name), err)
}

// Teams are the projects for which a version was made. It names all of them: the caller
// leaves out those that its asker may not know of.
func (d *Decider) Teams(ctx context.Context, name genesis.Name, version genesis.Digest) ([]string, error) {
	return readTeams(ctx, d.db.Read(), assetKey{name, version})
}

func readTeams(ctx context.Context, q querier, k assetKey) ([]string, error) {
	all, err := store.Column[string](ctx, q, "SELECT project FROM policy_teams WHERE name = $1 AND version = $2 ORDER BY project", string(k.name), string(k.version))
	return all, store.Error("read projects", string(k.name), err)
}

// madeForProject adds the names of which something was made for a project.
func (d *Decider) madeForProject(ctx context.Context, project string, to map[genesis.Name]bool) error {
	rows, err := d.db.Read().QueryContext(ctx, "SELECT DISTINCT name FROM policy_teams WHERE project = $1", project)
	if err != nil {
		return store.Error("read projects", project, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name genesis.Name
		if err := rows.Scan(&name); err != nil {
			return store.Error("read projects", project, err)
		}
		to[name] = true
	}
	return store.Error("read projects", project, rows.Err())
}

// In reports whether somebody is in a project now.
func (d *Decider) In(ctx context.Context, p genesis.Principal, project string) (in bool, err error) {
	err = d.locked(ctx, d.gen.Load(), func() error {
		who := d.person(p, d.index)
		who.Projects, _ = d.index.current(who.Projects, d.now())
		in = who.among([]string{d.ownProject(project)}) != ""
		return nil
	})
	return in, err
}
