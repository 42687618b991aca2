package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/opengenesis/genesis"
)

// reports: what came of it, at one node and at all, from the logs alone.
func (d *demo) reports(c *cast) error {
	d.chapter("9  A programme manager reads what came of it",
		"Maya's report is counted from the laboratory's log; each figure can be traced to its entries, and none points at a person. The others make",
		"theirs, from theirs; put together (first the sum, then the quarter before, then each node), they say what the federation achieved.")
	made, err := d.does(c.maya, []string{"| versions published |", "| requests for access", "| people |", "students", "| institutions", "| models made", "| uses of models", "| time that runs took |"}, "report", "--format", "md")
	if err != nil {
		return err
	}
	own := map[string]float64{}
	for _, f := range made.(*genesis.Report).Figures {
		if f.Now.Value != nil && !f.Now.AtLeast {
			own[f.ID] = *f.Now.Value
		}
	}
	// Three versions: two datasets and the model. Rosa trained, and predicted once; Chen's
	// predictions are the company's.
	if err := d.counts(own, map[string]float64{"opened": 3, "requests": 1, "approved": 1, "denied": 0, "models-made": 1, "models-used": 1, "predictions": 1}); err != nil {
		return err
	}
	var files []string
	for _, who := range []actor{c.maya, c.university, c.company} {
		files = append(files, filepath.Join(d.dir, string(who.at.id)+".json"))
		if _, err := d.does(who, nil, "report", "--format", "json", "--out", files[len(files)-1]); err != nil {
			return err
		}
	}
	args := []string{"report"}
	for _, f := range files {
		args = append(args, "--merge", f)
	}
	merged, err := d.does(c.maya, []string{"# 3 institutions", "| versions published |", "| requests for access |", "| institutions |", "| models made |", "| uses of models |"}, args...)
	if err != nil {
		return err
	}
	all := map[string]float64{}
	for _, f := range merged.(*genesis.MergedReport).Figures {
		if f.Together.Value != nil && !f.Together.AtLeast {
			all[f.ID] = *f.Together.Value
		}
	}
	return d.counts(all, map[string]float64{"opened": 5, "requests": 1, "approved": 1, "models-made": 1, "predictions": 2})
}

// counts holds figures against what was done.
func (d *demo) counts(got, want map[string]float64) error {
	ids := []string{}
	for id := range want {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		n, told := got[id]
		if err := d.holds(told && n == want[id], fmt.Sprintf("the report counts what was done: %s %g", id, want[id])); err != nil {
			return fmt.Errorf("%w; it is %g", err, n)
		}
	}
	return nil
}
