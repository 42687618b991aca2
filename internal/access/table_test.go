package access_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// table returns the table of docs/policy.md whose header begins with a word: its
// columns' names, and its rows.
func table(t *testing.T, first string) (header []string, rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case header == nil && strings.HasPrefix(line, "| "+first+" |"):
			header = cells(line)
		case header != nil && !strings.HasPrefix(line, "|"):
			return header, rows
		case header != nil && !strings.HasPrefix(line, "|---"):
			rows = append(rows, cells(line))
		}
	}
	if header == nil {
		t.Fatalf("docs/policy.md has no table %q", first)
	}
	return header, rows
}

func cells(line string) []string {
	all := strings.Split(strings.Trim(line, "|"), "|")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// kind is a kind of principal, with the words of the table that are true of it.
type kind struct {
	name   string
	who    genesis.Principal
	words  []string
	grants []genesis.Action // to give them
	only   []genesis.Action // what their token is narrowed to; nil: not
}

// subject of the tests: its name is somebody's own, so that there is an owner.
const thing genesis.Name = "~dee/turbines"

var creator = accesstest.Person("nrel", "cal")

// kinds are all kinds of principal. A creator is registered, and so on: words lists
// everything.
func kinds() []kind {
	open := []string{"anyone", "registered"}
	with := func(more ...string) []string { return append(slices.Clone(open), more...) }
	person := accesstest.Person
	scoped := person("nrel", "svc")
	scoped.Scopes = []genesis.Scope{"read:" + genesis.Scope(thing), "train", "infer:other"}
	stewardScoped := person("nrel", "sam", genesis.DutySteward)
	stewardScoped.Scopes = []genesis.Scope{"discover"}
	empty := person("nrel", "sue", genesis.DutySteward)
	empty.Scopes = []genesis.Scope{}
	student := person("mit", "stu")
	student.Student = true
	impostor := person("acme", "imp", genesis.Duties...)
	impostor.Institution, impostor.Sector, impostor.Projects = "mit", genesis.University, []string{"wind"}
	all := []kind{
		{name: "nobody", words: []string{"anyone"}},
		{name: "nobody with duties", who: genesis.Principal{Duties: genesis.Duties}, words: []string{"anyone"}},
		{name: "registered at home", who: person("nrel", "bob"), words: open},
		{name: "registered elsewhere", who: person("acme", "eve"), words: open},
		{name: "of no member", who: person("evil", "mal"), words: []string{"anyone"}},
		{name: "of a node called like home's people", who: person("evil", "dee"), words: []string{"anyone"}},
		{name: "a name with a slash", who: person("nrel", "mit/mia"), words: []string{"anyone"}},
		{name: "named partner", who: person("mit", "mia"), words: with("partners")},
		{name: "partner's student", who: student, words: with("partners")},
		{name: "unnamed partner", who: person("acme", "eli"), words: open},
		{name: "impostor", who: impostor, words: open},
		{name: "namesake of the owner", who: person("acme", "dee"), words: open},
		{name: "namesake of the creator", who: person("acme", "cal"), words: open},
		{name: "creator", who: creator, words: with("creator")},
		{name: "owner", who: person("nrel", "dee"), words: with("stewards")},
		{name: "steward", who: person("nrel", "ann", genesis.DutySteward), words: with("stewards")},
		{name: "local", who: access.Local("nrel"), words: with("stewards")},
		{name: "operator", who: person("nrel", "opa", genesis.DutyOperator), words: open},
		{name: "officer", who: person("nrel", "off", genesis.DutyOfficer), words: open},
		{name: "service", who: scoped, words: open, only: []genesis.Action{genesis.Discover, genesis.Read, genesis.TrainOn}},
		{name: "steward, token to discover", who: stewardScoped, words: with("stewards"), only: []genesis.Action{genesis.Discover}},
		{name: "steward, token for nothing", who: empty, words: with("stewards"), only: []genesis.Action{}},
	}
	for _, a := range []genesis.Action{genesis.Discover, genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate} {
		all = append(all, kind{name: "grantee of " + string(a), who: person("acme", "to-"+string(a)), words: with("any grant"), grants: []genesis.Action{a}})
	}
	return all
}

// may is what the table says: whether a word of the cell is true of the kind.
// Stewards may do everything but what nobody may.
func (k kind) may(cell string, a genesis.Action) bool {
	words := k.words
	if slices.Contains(k.grants, a) {
		words = append(slices.Clone(words), "grant")
	}
	if k.only != nil && !slices.Contains(k.only, a) || cell == "nobody" {
		return false
	}
	return slices.Contains(words, "stewards") || slices.ContainsFunc(strings.Split(cell, ", "), func(w string) bool { return slices.Contains(words, w) })
}

// terms of a row of the tiers' table.
func terms(row string) genesis.Terms {
	tier, hidden := strings.CutSuffix(row, ", hidden")
	t := genesis.Terms{Tier: genesis.Tier(tier), Hidden: hidden}
	if t.Tier == genesis.TierPartner {
		t.Partners = []string{"university"}
	}
	return t
}

func TestTableOfTiers(t *testing.T) {
	header, rows := table(t, "tier")
	if len(rows) != 6 || len(header) != 8 {
		t.Fatalf("the table is %v with %d rows", header, len(rows))
	}
	seen := map[bool]int{}
	for _, row := range rows {
		w := accesstest.Open(t)
		r := accesstest.Dataset(thing)
		r.Creator = creator.Person()
		for _, k := range kinds() {
			for _, a := range k.grants {
				if row[0] != "restricted" || a != genesis.Read {
					w.Give(thing, genesis.Grantee("person:"+string(k.who.Person())), a)
				}
			}
		}
		w.Publish(r, terms(row[0]))
		for _, k := range kinds() {
			if row[0] == "restricted" && slices.Contains(k.grants, genesis.Read) {
				k.grants, k.words = nil, []string{"anyone", "registered"} // there is no such grant
			}
			for i, a := range header[1:] {
				checkCell(t, w, row[0], k, genesis.Action(a), r, row[i+1], seen)
			}
		}
	}
	if seen[true] < 200 || seen[false] < 200 {
		t.Errorf("the table permits %d and refuses %d: it does not tell apart", seen[true], seen[false])
	}
}

func checkCell(t *testing.T, w *accesstest.World, row string, k kind, a genesis.Action, r access.Resource, cell string, seen map[bool]int) {
	t.Helper()
	want := k.may(cell, a)
	seen[want]++
	got := w.Answer(k.who, a, r)
	if got.Allowed != want {
		t.Errorf("%s: %s may %s is %v by %q (%s), and the table says %q", row, k.name, a, got.Allowed, got.Rule, got.Reason, cell)
	}
	if again := w.Answer(k.who, a, r); again.Allowed != got.Allowed || again.Rule != got.Rule || again.Hint != got.Hint {
		t.Errorf("%s: %s may %s: asked again, the answer is %+v instead of %+v", row, k.name, a, again, got)
	}
	if discovers := w.May(k.who, genesis.Discover, r); !got.Allowed && got.Discoverable != discovers {
		t.Errorf("%s: %s discovers is %v, and refused %s says %v", row, k.name, discovers, a, got.Discoverable)
	}
}

func TestTableOfStates(t *testing.T) {
	header, rows := table(t, "state")
	if len(rows) != 4 || len(header) != 8 {
		t.Fatalf("the table is %v with %d rows", header, len(rows))
	}
	w := accesstest.Open(t)
	r := accesstest.Dataset(thing)
	r.Creator = creator.Person()
	w.Publish(r, genesis.Terms{Tier: genesis.TierPublic})
	seen := map[bool]int{}
	for _, k := range kinds() {
		for _, a := range k.grants {
			w.Give(thing, genesis.Grantee("person:"+string(k.who.Person())), a)
		}
	}
	for _, row := range rows {
		r.State = genesis.State(row[0])
		for _, k := range kinds() {
			for i, a := range header[1:] {
				checkCell(t, w, row[0], k, genesis.Action(a), r, row[i+1], seen)
			}
		}
	}
	r.State = ""
	if w.May(accesstest.Person("nrel", "bob"), genesis.Discover, r) {
		t.Error("a version of unknown state is open")
	}
}

func TestTableOfNode(t *testing.T) {
	header, rows := table(t, "act")
	people := map[string]genesis.Principal{
		"nobody":          {},
		"of another node": accesstest.Person("mit", "mia", genesis.Duties...),
		"of this node":    accesstest.Person("nrel", "bob"),
		"steward":         accesstest.Person("nrel", "ann", genesis.DutySteward),
		"operator":        accesstest.Person("nrel", "opa", genesis.DutyOperator),
		"officer":         accesstest.Person("nrel", "off", genesis.DutyOfficer),
		"manager":         accesstest.Person("nrel", "max", genesis.DutyManager),
		"owner":           access.Local("nrel"),
	}
	if len(header) != len(people)+1 || len(rows) != 6 {
		t.Fatalf("the table is %v with %d rows", header, len(rows))
	}
	w := accesstest.Open(t)
	for _, row := range rows {
		act, on, _ := strings.Cut(row[0], " ")
		r := access.Resource{Part: access.Part(strings.TrimPrefix(on, "machine"))}
		for i, who := range header[1:] {
			p, ok := people[who]
			if !ok {
				t.Fatalf("who is %q?", who)
			}
			if got := w.May(p, genesis.Action(act), r); got != (row[i+1] == "yes") {
				t.Errorf("%s: %s may is %v", row[0], who, got)
			}
		}
	}
	for _, a := range []genesis.Action{genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate, genesis.Request, genesis.Steward} {
		for _, part := range []access.Part{access.Machine, access.Office, access.Figures} {
			for who, p := range people {
				if a == genesis.Steward && part == access.Machine {
					continue // in the table
				}
				if got := w.May(p, a, access.Resource{Part: part}); got != (who == "owner") {
					t.Errorf("%s may %s on the node's %s is %v", who, a, part, got)
				}
			}
		}
	}
	narrow := people["operator"]
	narrow.Scopes = []genesis.Scope{"read", "discover"}
	if w.May(narrow, genesis.Operate, access.Resource{}) {
		t.Error("a token without operate operates")
	}
	narrow.Scopes = []genesis.Scope{"operate"}
	if !w.May(narrow, genesis.Operate, access.Resource{}) {
		t.Error("a token of scope operate does not")
	}
	if w.May(access.Local("nrel"), genesis.Operate, accesstest.Dataset("turbines")) {
		t.Error("somebody operates an asset")
	}
}
