package run

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Cleared is a run of which the contents were removed.
type Cleared struct {
	ID     string
	Kind   genesis.RunKind
	Pinned json.RawMessage
}

// ClearTx removes, in the caller's transaction, what the runs that made or used a
// version came to, what was asked of them and why they failed, and so of every failed
// preparation of its name, which may have been of the same file. That they were, whose,
// and of which version stays. [Manager.RemoveLogs] removes their logs afterwards.
func (m *Manager) ClearTx(ctx context.Context, tx *sql.Tx, v genesis.Version) ([]Cleared, error) {
	all, err := m.about(ctx, tx, v)
	if err != nil {
		return nil, store.Error("clear runs", string(v.Name), err)
	}
	var out []Cleared
	for _, r := range all {
		var problem string
		if e := r.Error; e != nil {
			b, err := json.Marshal(genesis.Problem{Type: e.Type, Title: e.Title, Status: e.Status, Kind: e.Kind, Message: "what was wrong was purged"})
			if err != nil {
				return nil, err
			}
			problem = string(b)
		}
		result, err := bare(r.Result)
		if err != nil {
			return nil, err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE runs SET request = '{}', result = $2, error = $3 WHERE id = $1", r.ID, result, problem); err != nil {
			return nil, store.Error("clear runs", r.ID, err)
		}
		out = append(out, Cleared{r.ID, r.Kind, r.pinned})
	}
	return out, nil
}

// about returns the runs that made or used a version, and those that may have.
func (m *Manager) about(ctx context.Context, tx *sql.Tx, v genesis.Version) ([]row, error) {
	found, err := tx.QueryContext(ctx, "SELECT "+rowColumns+` FROM runs WHERE instr(result, $1) > 0 OR instr(pinned, $1) > 0
		OR kind = 'prepare' AND subject = $2 AND state IN ('failed', 'canceled') ORDER BY seq`, string(v.Digest), string(v.Name))
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var all []row
	for found.Next() {
		r, err := scanRow(found.Scan, true)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, found.Err()
}

// bare is a result that says which version it is about, and nothing else.
func bare(result json.RawMessage) (string, error) {
	if len(result) == 0 {
		return "", nil
	}
	var about struct {
		Version *genesis.Version `json:"version,omitempty"`
		Model   *genesis.Version `json:"model,omitempty"`
	}
	if err := json.Unmarshal(result, &about); err != nil {
		return "", err
	}
	b, err := json.Marshal(about)
	return string(b), err
}

// RemoveLogs removes the logs of runs.
func (m *Manager) RemoveLogs(runs []Cleared) error {
	for _, r := range runs {
		if err := os.Remove(m.logOf(r.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return broken("clear runs", r.ID, err)
		}
	}
	return nil
}
