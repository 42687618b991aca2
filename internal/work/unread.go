package work

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

// unread bounds a training by somebody who may train on a version but not read
// it: the steward's splits, features and targets alone, and enough rows that no
// single one can be told from the outcome. It returns the request with everything
// said that was left open, so that nothing is chosen later. Errors: Permission,
// which name the rule and what would be accepted.
func unread(d *genesis.Description, terms genesis.TrainingTerms, req genesis.TrainRequest) (genesis.TrainRequest, error) {
	t := &training{table: req.Table, targets: req.Target}
	if err := t.choose(d.Manifest); err != nil {
		return req, err
	}
	table, ok := d.Manifest.Table(t.table)
	if !ok {
		return req, refuse(req.Dataset, "table", fmt.Sprintf("there is no table %q", t.table), tableNames(d.Manifest))
	}
	req.Table, req.Target = table.Name, t.targets
	split, err := approvedSplit(d.Splits, terms, req)
	if err != nil {
		return req, err
	}
	if split != nil {
		req.Split = split.Name
	}
	if req.Target, err = approvedColumns(req.Dataset, "target", table, terms.Targets, req.Target, genesis.Target); err != nil {
		return req, err
	}
	if req.Features, err = approvedColumns(req.Dataset, "feature", table, terms.Features, req.Features, genesis.Feature, genesis.Time); err != nil {
		return req, err
	}
	least := leastRows(terms)
	if n := trainRows(table, split, req.Fold); n < int64(least) {
		return req, refuse(req.Dataset, "rows", fmt.Sprintf("the training part has fewer than %d rows, the least that may be learnt from without reading them", least), "a split with a larger training part")
	}
	return req, nil
}

// leastRows is how many rows must be learnt from at least.
func leastRows(terms genesis.TrainingTerms) int { return cmp.Or(terms.MinRows, genesis.DefaultMinRows) }

// outOfBounds is a refusal of a training by somebody who may train but not read.
type outOfBounds struct {
	rule string // as the audit log names it
	err  *genesis.Error
}

func (o *outOfBounds) Error() string { return o.err.Error() }
func (o *outOfBounds) Unwrap() error { return o.err }

// refuse is a refusal of training without reading.
func refuse(ref, rule, msg, accepted string) error {
	rule = "unread-" + rule
	return &outOfBounds{rule, &genesis.Error{Op: "train", Kind: genesis.Permission, Subject: ref, Msg: msg + " (rule: " + rule + ")",
		Hint: "accepted without the right to read: " + accepted}}
}

func approvedSplit(splits []genesis.Split, terms genesis.TrainingTerms, req genesis.TrainRequest) (*genesis.Split, error) {
	var names []string
	var chosen *genesis.Split
	for i := range splits {
		s := &splits[i]
		if s.Table != req.Table || terms.Splits != nil && !slices.Contains(terms.Splits, s.Name) {
			continue
		}
		names = append(names, s.Name)
		if chosen == nil && (req.Split == "" || req.Split == s.Name) {
			chosen = s
		}
	}
	if chosen == nil && (req.Split != "" || terms.Splits != nil) {
		return nil, refuse(req.Dataset, "split", fmt.Sprintf("the split %q is not approved", req.Split), "the splits "+listed(names))
	}
	return chosen, nil
}

// approvedColumns returns the columns asked for, or all that are approved: those
// the steward named, else those with one of the roles.
func approvedColumns(ref, what string, table genesis.ManifestTable, named, asked []string, roles ...genesis.Role) ([]string, error) {
	var approved []string
	for _, c := range table.Columns {
		if named == nil && slices.Contains(roles, c.Role) || slices.Contains(named, c.Name) {
			approved = append(approved, c.Name)
		}
	}
	if asked == nil {
		asked = approved
	}
	for _, name := range asked {
		if !slices.Contains(approved, name) {
			return nil, refuse(ref, what, fmt.Sprintf("the column %q is not approved as a %s", name, what), "the columns "+listed(approved))
		}
	}
	if len(asked) == 0 {
		return nil, refuse(ref, what, "no column is approved as a "+what, "nothing; the steward names columns with `genesis publish --"+what+"s`")
	}
	return asked, nil
}

// trainRows is how many rows the training part has.
func trainRows(table genesis.ManifestTable, s *genesis.Split, fold int) int64 {
	if s == nil {
		return table.Rows * 8 / 10 // by row number, 80:10:10
	}
	if s.Folds == 0 {
		return s.Counts["train"]
	}
	var n int64
	for name, count := range s.Counts {
		if strings.HasPrefix(name, "fold-") && name != fmt.Sprintf("fold-%d", fold) {
			n += count
		}
	}
	return n
}

func tableNames(m genesis.Manifest) string {
	var names []string
	for _, t := range m.Tables {
		names = append(names, t.Name)
	}
	return "the tables " + listed(names)
}

func listed(names []string) string {
	const shown = 20
	switch {
	case len(names) == 0:
		return "(there are none)"
	case len(names) > shown:
		return strings.Join(names[:shown], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
