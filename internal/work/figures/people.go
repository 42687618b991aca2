package figures

import (
	"cmp"
	"slices"

	"github.com/opengenesis/genesis"
)

// person is a pseudonym.
type person string

// served is whom a node served in a quarter.
type served struct {
	people       map[person]bool   // whether they are students
	institutions map[string]bool   // of all
	home         map[person]string // institution of those who used what everybody may know of
	sector       map[string]string // of an institution, as was said last: one, so that sectors are made of institutions
	uses         float64
	unknown      float64 // uses by nobody who was signed in
	bytes        float64
}

// people counts whom a node serves.
type people struct {
	both      both[served]
	used      traced
	delivered traced
}

func (p *people) init() {
	for i := range p.both {
		p.both[i] = served{people: map[person]bool{}, institutions: map[string]bool{}, home: map[person]string{}, sector: map[string]string{}}
	}
}

func (p *people) add(m *Maker, e genesis.AuditEntry) {
	q := m.which(e.Time)
	if q < 0 {
		return
	}
	s := &p.both[q]
	if e.Act == string(genesis.Read) && e.Outcome == genesis.Done { // how much shared reads were
		if n := detail[struct{ Bytes int64 }](e).Bytes; n > 0 {
			s.bytes += float64(n)
			if q == 0 {
				p.delivered.add(e.Seq)
			}
		}
		return
	}
	if !used(e) {
		return
	}
	if q == 0 {
		p.used.add(e.Seq)
	}
	s.uses++
	if e.Actor == "" {
		s.unknown++
		return
	}
	who := person(e.Actor)
	s.people[who] = s.people[who] || e.Student
	if e.Institution != "" {
		s.institutions[e.Institution] = true
	}
	if m.estate.known(e) {
		home := cmp.Or(e.Institution, notStated)
		s.home[who], s.sector[home] = home, cmp.Or(string(e.Sector), notStated)
	}
}

// known are how many of the people used something that everybody may know of: those who
// are in groups.
func (s *served) known() float64 { return float64(len(s.home)) }

// blurred reports whether the number of people cannot be told beside the groups: less their
// sum it would tell of one to four people that they used nothing but what is hidden.
func (s *served) blurred() bool {
	return s.known() >= genesis.LeastPeople && isFew(float64(len(s.people))-s.known())
}

// count is the number of people, or where it cannot be told the sum of the groups, which it
// is more than. The groups stay as they are, so that nothing hidden changes them.
func (s *served) count() genesis.Amount {
	if s.blurred() {
		return atLeast(s.known())
	}
	return few(float64(len(s.people)))
}

// students are how many of the people are, in steps of LeastPeople, and fewer by as many as
// could be few who are not: exact, they could be subtracted from the universities, whose
// people nearly all students are, and from all.
func (s *served) students() genesis.Amount {
	n, all := 0, len(s.people)
	for _, student := range s.people {
		if student {
			n++
		}
	}
	if n < genesis.LeastPeople {
		return few(float64(n))
	}
	if s.blurred() {
		all = len(s.home)
	}
	n = min(n, all+1-genesis.LeastPeople)
	return atLeast(float64(max(1, n-n%genesis.LeastPeople)))
}

// isFew reports whether a number of people points at somebody.
func isFew(n float64) bool { return n > 0 && n < genesis.LeastPeople }

// few is a number of people that is told as it is where it points at nobody.
func few(n float64) genesis.Amount {
	if isFew(n) {
		return genesis.Amount{Few: true}
	}
	return number(n)
}

// atLeast is a number that what is counted does not fall below.
func atLeast(n float64) genesis.Amount { return genesis.Amount{Value: &n, AtLeast: true} }

// groups are the people who used what everybody may know of, by institution and by sector.
// No group is few, and neither is what is left of a group of sectors without the
// institutions that are told apart and belong to them.
func (s *served) groups() []genesis.FigureGroup {
	institutions, sectors, sectorOf := map[string]float64{}, map[string]float64{}, s.sector
	for _, name := range s.home {
		institutions[name]++
		sectors[sectorOf[name]]++
	}
	apart, sectorsApart := crowds(institutions), crowds(sectors)
	group := func(institution string) string {
		if sector := sectorOf[institution]; sectorsApart[sector] {
			return sector
		}
		return genesis.OtherGroups
	}
	rest := map[string]float64{} // of a group of sectors, people of institutions that are not told apart
	for name, n := range institutions {
		if !apart[name] {
			rest[group(name)] += n
		}
	}
	for _, g := range slices.Backward(grouped("institution", institutions)) { // smallest first
		if sector := group(g.Name); apart[g.Name] && isFew(rest[sector]) {
			rest[sector] += *g.Now.Value
			apart[g.Name] = false
		}
	}
	return append(together("institution", institutions, apart), together("sector", sectors, sectorsApart)...)
}

// crowds are the names that are told apart: the smallest are put together until they are
// not few, so that no difference tells how many they are.
func crowds(counts map[string]float64) map[string]bool {
	apart, small := map[string]bool{}, 0.0
	for _, g := range slices.Backward(grouped("", counts)) {
		if n := *g.Now.Value; n < genesis.LeastPeople || isFew(small) {
			small += n
		} else {
			apart[g.Name] = true
		}
	}
	return apart
}

// together are groups of which those that are not told apart are one.
func together(by string, counts map[string]float64, apart map[string]bool) (all []genesis.FigureGroup) {
	rest := 0.0
	for _, g := range grouped(by, counts) {
		if apart[g.Name] {
			all = append(all, g)
		} else {
			rest += *g.Now.Value
		}
	}
	if rest > 0 {
		all = append(all, genesis.FigureGroup{By: by, Name: genesis.OtherGroups, Now: few(rest)})
	}
	return all
}
