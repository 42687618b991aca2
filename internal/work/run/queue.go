package run

import (
	"slices"

	"github.com/opengenesis/genesis"
)

// queue holds the runs that wait. Who shares a turn takes turns with others, one run each,
// so that who asks for a hundred does not keep out who asks for one: each person of this
// node, and the people of each other node together, for how many these are is that node's
// word. The runs of one person keep their order, and within a node people take turns.
type queue struct {
	turns   []genesis.PersonID // of whose runs some wait, next first: see [Manager.sharing]
	waiting map[genesis.PersonID][]*active
	n       int
}

func (q *queue) push(a *active) {
	if q.waiting == nil {
		q.waiting = map[genesis.PersonID][]*active{}
	}
	line := q.waiting[a.share]
	if len(line) == 0 {
		q.turns = append(q.turns, a.share)
	}
	q.waiting[a.share] = slices.Insert(line, placeIn(line, a.person), a)
	q.n++
}

// placeIn is where the next run of a person goes in a line: behind as many of each of the
// others as they have in it, and behind their own.
func placeIn(line []*active, person genesis.PersonID) int {
	mine, last := 0, -1
	for i, a := range line {
		if a.person == person {
			mine, last = mine+1, i
		}
	}
	of := map[genesis.PersonID]int{}
	for i, a := range line {
		if of[a.person]++; of[a.person] > mine+1 && i > last {
			return i
		}
	}
	return len(line)
}

// pop takes out the run whose turn it is, of those whose turn is not passed over, or returns
// nil.
func (q *queue) pop(pass func(share genesis.PersonID) bool) *active {
	i := slices.IndexFunc(q.turns, func(share genesis.PersonID) bool { return !pass(share) })
	if i < 0 {
		return nil
	}
	share := q.turns[i]
	a := q.waiting[share][0]
	q.turns = slices.Delete(q.turns, i, i+1)
	q.waiting[share] = q.waiting[share][1:]
	q.n--
	if len(q.waiting[share]) > 0 {
		q.turns = append(q.turns, share)
	} else {
		delete(q.waiting, share)
	}
	return a
}

// remove takes a out and reports whether it was there.
func (q *queue) remove(a *active) bool {
	i := slices.Index(q.waiting[a.share], a)
	if i < 0 {
		return false
	}
	q.waiting[a.share] = slices.Delete(q.waiting[a.share], i, i+1)
	q.n--
	if len(q.waiting[a.share]) == 0 {
		delete(q.waiting, a.share)
		q.turns = slices.DeleteFunc(q.turns, func(share genesis.PersonID) bool { return share == a.share })
	}
	return true
}

// position returns the place of a, from 1, or 0 when it does not wait.
func (q *queue) position(a *active) int {
	if a == nil {
		return 0
	}
	round := slices.Index(q.waiting[a.share], a)
	if round < 0 {
		return 0
	}
	place, before := 1, true
	for _, share := range q.turns {
		if share == a.share {
			place += round
			before = false
			continue
		}
		// Whoever has the turn before a's owner has one run more before a.
		turns := round
		if before {
			turns++
		}
		place += min(turns, len(q.waiting[share]))
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
