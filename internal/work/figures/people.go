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
	home         map[person]string // institution and sector of those who used what everybody may know of
	sector       map[person]string
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
		p.both[i] = served{people: map[person]bool{}, institutions: map[string]bool{}, home: map[person]string{}, sector: map[person]string{}}
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
		s.home[who], s.sector[who] = cmp.Or(e.Institution, "not stated"), cmp.Or(string(e.Sector), "not stated")
	}
}

// students are how many of the people are.
func (s *served) students() (n float64) {
	for _, student := range s.people {
		if student {
			n++
		}
	}
	return n
}

// few is a number of people that is told as it is where it points at nobody.
func few(n float64) genesis.Amount {
	if n > 0 && n < genesis.LeastPeople {
		return genesis.Amount{Few: true}
	}
	return number(n)
}

// part is a number of people among all: neither it nor the rest may be few.
func part(n, all float64) genesis.Amount {
	if rest := all - n; n > 0 && rest > 0 && rest < genesis.LeastPeople {
		return genesis.Amount{Few: true}
	}
	return few(n)
}

// others is the group that small ones are put together in.
const others = "others, together"

// crowds are groups of people of which none is small: the smallest are put together until
// they are not few, so that no difference tells how many they are.
func crowds(by string, of map[person]string) []genesis.FigureGroup {
	counts := map[string]float64{}
	for _, name := range of {
		counts[name]++
	}
	all := grouped(by, counts)
	slices.Reverse(all) // smallest first
	small := 0.0
	for len(all) > 0 && (*all[0].Now.Value < genesis.LeastPeople || small > 0 && small < genesis.LeastPeople) {
		small += *all[0].Now.Value
		all = all[1:]
	}
	slices.Reverse(all)
	if small > 0 {
		all = append(all, genesis.FigureGroup{By: by, Name: others, Now: few(small)})
	}
	return all
}
