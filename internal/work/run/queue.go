package run

import (
	"slices"

	"github.com/opengenesis/genesis"
)

// queue holds the runs that wait. People take turns, one run each, so that who
// asks for a hundred does not keep out who asks for one; the runs of one person
// keep their order.
type queue struct {
	people  []genesis.PersonID // with runs that wait, next first
	waiting map[genesis.PersonID][]*active
	n       int
}

func (q *queue) push(a *active) {
	if q.waiting == nil {
		q.waiting = map[genesis.PersonID][]*active{}
	}
	if len(q.waiting[a.person]) == 0 {
		q.people = append(q.people, a.person)
	}
	q.waiting[a.person] = append(q.waiting[a.person], a)
	q.n++
}

// pop takes out the run whose turn it is, or returns nil.
func (q *queue) pop() *active {
	if q.n == 0 {
		return nil
	}
	person := q.people[0]
	a := q.waiting[person][0]
	q.people = q.people[1:]
	q.waiting[person] = q.waiting[person][1:]
	q.n--
	if len(q.waiting[person]) > 0 {
		q.people = append(q.people, person)
	} else {
		delete(q.waiting, person)
	}
	return a
}

// remove takes a out and reports whether it was there.
func (q *queue) remove(a *active) bool {
	i := slices.Index(q.waiting[a.person], a)
	if i < 0 {
		return false
	}
	q.waiting[a.person] = slices.Delete(q.waiting[a.person], i, i+1)
	q.n--
	if len(q.waiting[a.person]) == 0 {
		delete(q.waiting, a.person)
		q.people = slices.DeleteFunc(q.people, func(p genesis.PersonID) bool { return p == a.person })
	}
	return true
}

// position returns the place of a, from 1, or 0 when it does not wait.
func (q *queue) position(a *active) int {
	if a == nil {
		return 0
	}
	round := slices.Index(q.waiting[a.person], a)
	if round < 0 {
		return 0
	}
	place, before := 1, true
	for _, person := range q.people {
		if person == a.person {
			place += round
			before = false
			continue
		}
		// Whoever has the turn before a's owner has one run more before a.
		turns := round
		if before {
			turns++
		}
		place += min(turns, len(q.waiting[person]))
	}
	return place
}

// all returns the runs that wait, in no order.
func (q *queue) all() (all []*active) {
	for _, list := range q.waiting {
		all = append(all, list...)
	}
	return all
}
