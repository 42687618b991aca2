package figures

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestSmallGroups: no group of one to four people is told, nor follows from the others.
func TestSmallGroups(t *testing.T) {
	for _, x := range []struct {
		want  string
		sizes map[string]float64
	}{
		{"A=7 B=5", map[string]float64{"A": 7, "B": 5}},
		{"others, together=few", map[string]float64{"A": 1, "C": 3}},
		{"others, together=11", map[string]float64{"A": 7, "B": 4}},
		{"A=20 others, together=10", map[string]float64{"A": 20, "B": 7, "C": 3}},
		{"A=20 B=7 others, together=6", map[string]float64{"A": 20, "B": 7, "C": 3, "D": 2, "E": 1}},
		{"", nil},
	} {
		if got := groupTexts(together("institution", x.sizes, crowds(x.sizes))); got != x.want {
			t.Errorf("%v gives %q, want %q", x.sizes, got, x.want)
		}
	}
}

func groupTexts(all []genesis.FigureGroup) string {
	var out []string
	for _, g := range all {
		out = append(out, g.Name+"="+text(g.Now))
	}
	return strings.Join(out, " ")
}

// crowd are people of a quarter. Those who are hidden used nothing that everybody may know of.
type crowd struct{ home, sector, hidden, students int }

func servedOf(all ...crowd) *served {
	p := people{}
	p.init()
	s, n := &p.both[0], 0
	for _, c := range all {
		for i := range c.home {
			who := person(fmt.Sprint("p", n))
			n++
			s.people[who] = i < c.students
			if institution := fmt.Sprintf("I%d%d", c.sector, c.home); i >= c.hidden {
				s.home[who], s.sector[institution] = institution, fmt.Sprint("S", c.sector)
			}
		}
	}
	return s
}

// TestPeopleAreNotSubtracted: what would tell of few, subtracted from what else is told, is
// told less exactly.
func TestPeopleAreNotSubtracted(t *testing.T) {
	for name, x := range map[string]struct {
		of   *served
		want string
	}{
		"nobody is hidden":              {servedOf(crowd{home: 9, sector: 1}), "9 0 I19=9 S1=9"},
		"one is hidden":                 {servedOf(crowd{home: 9, sector: 1, hidden: 1}), "8 or more 0 I19=8 S1=8"},
		"five are hidden":               {servedOf(crowd{home: 14, sector: 1, hidden: 5}), "14 0 I114=9 S1=9"},
		"few are not":                   {servedOf(crowd{home: 7, sector: 1, hidden: 6}), "7 0 others, together=few others, together=few"},
		"a sector less an institution":  {servedOf(crowd{home: 7, sector: 1}, crowd{home: 2, sector: 1}, crowd{home: 5, sector: 2}), "14 0 others, together=14 S1=9 S2=5"},
		"a sector of two institutions":  {servedOf(crowd{home: 7, sector: 1}, crowd{home: 6, sector: 1}), "13 0 I17=7 I16=6 S1=13"},
		"students":                      {servedOf(crowd{home: 12, sector: 1, students: 5}), "12 5 or more I112=12 S1=12"},
		"few students":                  {servedOf(crowd{home: 12, sector: 1, students: 4}), "12 few I112=12 S1=12"},
		"few are no students":           {servedOf(crowd{home: 9, sector: 1, students: 7}), "9 5 or more I19=9 S1=9"},
		"all are students":              {servedOf(crowd{home: 9, sector: 1, students: 9}), "9 5 or more I19=9 S1=9"},
		"many students":                 {servedOf(crowd{home: 40, sector: 1, students: 33}), "40 30 or more I140=40 S1=40"},
		"nearly all are students":       {servedOf(crowd{home: 41, sector: 1, students: 40}), "41 35 or more I141=41 S1=41"},
		"students tell of who is left":  {servedOf(crowd{home: 12, sector: 1, hidden: 2, students: 6}), "10 or more 5 or more I112=10 S1=10"},
		"all are students, one hidden":  {servedOf(crowd{home: 9, sector: 1, hidden: 1, students: 9}), "8 or more 1 or more I19=8 S1=8"},
		"few, of whom few are students": {servedOf(crowd{home: 4, sector: 1, students: 2}), "few few others, together=few others, together=few"},
	} {
		if got := strings.TrimSpace(text(x.of.count()) + " " + text(x.of.students()) + " " + groupTexts(x.of.groups())); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
}

// TestNoDifferenceExposes: in random quarters, whatever sets of people a report tells the
// size of, where one holds another the rest are none or at least five. So nothing that is
// told can be subtracted to find single people.
func TestNoDifferenceExposes(t *testing.T) {
	told, withheld := 0, 0
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := &script{}
		s.publish("10-02", "wind", 1, genesis.TierRegistered, false, "energy", 1, 0)
		s.publish("10-02", "secret", 1, genesis.TierRestricted, false, "energy", 1, 0)
		institutions := 1 + rng.IntN(6)
		n := 0
		for i := range institutions {
			sector := genesis.Sectors[rng.IntN(3)]
			for range rng.IntN(10) {
				asset, more := "wind", []func(*genesis.AuditEntry){from(fmt.Sprint("I", i), sector)}
				if rng.IntN(12) == 0 {
					asset = "secret"
				}
				if rng.IntN(2) == 0 {
					more = append(more, student)
				}
				for range 1 + rng.IntN(2) {
					s.add("11-05", fmt.Sprint("p", n), "read", genesis.Allowed, asset, 1, nil, more...)
				}
				n++
			}
		}
		sets, exact := setsTold(s.all, s.report(t))
		told += exact
		if exact < len(sets) {
			withheld++
		}
		for _, what := range exposed(sets) {
			t.Errorf("seed %d: %s", seed, what)
		}
	}
	if told == 0 || withheld == 0 {
		t.Errorf("%d sets were told, %d reports held something back", told, withheld)
	}
}

// set is people whose number a report tells, or does not.
type set struct {
	name   string
	people map[string]bool
	told   bool
}

// setsTold finds, in the entries, who is counted in what a report says of people.
func setsTold(all []genesis.AuditEntry, r *genesis.Report) (sets []set, exact int) {
	everybody, students := map[string]bool{}, map[string]bool{}
	by := map[string]map[string]map[string]bool{"institution": {}, "sector": {}}
	for _, e := range all {
		if e.Act != "read" {
			continue
		}
		everybody[e.Actor] = true
		if e.Student {
			students[e.Actor] = true
		}
		for kind, name := range map[string]string{"institution": e.Institution, "sector": string(e.Sector)} {
			if by[kind][name] == nil {
				by[kind][name] = map[string]bool{}
			}
			if e.Subject == "wind" {
				by[kind][name][e.Actor] = true
			}
		}
	}
	add := func(name string, people map[string]bool, a genesis.Amount) {
		told := a.Value != nil && !a.AtLeast
		if told && int(*a.Value) != len(people) || a.AtLeast && int(*a.Value) > len(people) || a.Few && (len(people) == 0 || len(people) > 4) {
			name += fmt.Sprintf(" is %s, and not %d", text(a), len(people))
			people = map[string]bool{"wrong": true}
			told = true
		}
		if told {
			exact++
		}
		sets = append(sets, set{name, people, told})
	}
	for _, f := range r.Figures {
		switch f.ID {
		case "people":
			add("people", everybody, f.Now)
			for _, g := range f.Groups {
				if g.Name != genesis.OtherGroups {
					add(g.By+" "+g.Name, by[g.By][g.Name], g.Now)
					delete(by[g.By], g.Name)
				}
			}
			for _, g := range f.Groups {
				if rest := map[string]bool{}; g.Name == genesis.OtherGroups {
					for _, people := range by[g.By] {
						maps.Copy(rest, people)
					}
					add(g.By+" "+genesis.OtherGroups, rest, g.Now)
				}
			}
		case "students":
			add("students", students, f.Now)
		}
	}
	return sets, exact
}

// exposed are the differences of sets, and of unions of groups, that leave one to four.
func exposed(sets []set) (all []string) {
	sets = slices.DeleteFunc(slices.Clone(sets), func(s set) bool { return !s.told })
	var unions []set
	for _, kind := range []string{"institution ", "sector ", ""} {
		var some []set
		for _, s := range sets {
			if strings.HasPrefix(s.name, kind) && (kind != "" || !strings.Contains(s.name, " ") || s.people["wrong"]) {
				some = append(some, s)
			}
		}
		for mask := 1; mask < 1<<len(some); mask++ {
			u := set{people: map[string]bool{}}
			for i, s := range some {
				if mask&(1<<i) != 0 {
					u.name += s.name + ", "
					maps.Copy(u.people, s.people)
				}
			}
			unions = append(unions, u)
		}
	}
	for _, u := range unions {
		if n := len(u.people); n > 0 && n < genesis.LeastPeople {
			all = append(all, fmt.Sprintf("%s are %d", u.name, n))
		}
		for _, v := range unions {
			if left := less(u.people, v.people); left > 0 && left < genesis.LeastPeople {
				all = append(all, fmt.Sprintf("%s less %s leave %d", u.name, v.name, left))
			}
		}
	}
	return all
}

// less is how many a set has beyond another that it holds; 0 if it does not hold it.
func less(all, some map[string]bool) int {
	for p := range some {
		if !all[p] {
			return 0
		}
	}
	return len(all) - len(some)
}
