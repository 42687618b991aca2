package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

// model is the catalogue as one would think of it: versions in the order in
// which they were committed last.
type model struct {
	versions []*modelVersion
	events   int64
}

type modelVersion struct {
	genesis.Version
	cards   []genesis.Card // newest last
	parents []genesis.Ref
}

func (m *model) find(match func(*modelVersion) bool) *modelVersion {
	for _, v := range slices.Backward(m.versions) {
		if match(v) {
			return v
		}
	}
	return nil
}

func (m *model) exact(r genesis.Ref) *modelVersion {
	return m.find(func(v *modelVersion) bool { return v.Ref() == r })
}

func (m *model) kind(name genesis.Name) genesis.Kind {
	if v := m.find(func(v *modelVersion) bool { return v.Name == name }); v != nil {
		return v.Kind
	}
	return ""
}

// numbers returns how many versions of an asset are published.
func (m *model) numbers(name genesis.Name) int {
	n := 0
	for _, v := range m.versions {
		if v.Name == name {
			n = max(n, v.Number)
		}
	}
	return n
}

func (m *model) resolve(r genesis.Ref) *modelVersion {
	if r.Digest != "" {
		return m.exact(r)
	}
	number := r.Number
	if number == 0 {
		number = m.numbers(r.Name)
	}
	return m.find(func(v *modelVersion) bool { return v.Name == r.Name && (number == 0 || v.Number == number) })
}

// commit answers with the kind of error that Catalog.Commit should give.
func (m *model) commit(v genesis.Version, card *genesis.Card, parents []genesis.Version) genesis.ErrorKind {
	if have := m.kind(v.Name); have != "" && have != v.Kind {
		return genesis.Conflict
	}
	for _, p := range parents {
		if m.exact(p.Ref()) == nil && p.Ref() != v.Ref() {
			return genesis.NotFound
		}
		if p.Ref() == v.Ref() {
			return genesis.Invalid
		}
	}
	m.events++
	old := m.exact(v.Ref())
	if old != nil {
		m.versions = slices.DeleteFunc(m.versions, func(o *modelVersion) bool { return o == old })
		old.Rows, old.Bytes = v.Rows, v.Bytes
	} else {
		old = &modelVersion{Version: v}
	}
	m.versions = append(m.versions, old)
	if card != nil {
		old.put(*card)
	}
	for _, p := range parents {
		if !slices.Contains(old.parents, p.Ref()) {
			old.parents = append(old.parents, p.Ref())
		}
	}
	return ""
}

func (v *modelVersion) put(card genesis.Card) {
	if n := len(v.cards); n == 0 || !cmp.Equal(v.cards[n-1], card) {
		v.cards = append(v.cards, card)
	}
}

// TestAgreement does one random sequence of operations on the catalogue and on
// the model and compares every answer.
func TestAgreement(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			a := agreement{t: t, home: open(t), random: rand.New(rand.NewPCG(seed, 1))}
			for range 150 {
				a.step()
			}
			a.compare()
		})
	}
}

type agreement struct {
	t      *testing.T
	home   home
	model  model
	random *rand.Rand
}

func (a *agreement) step() {
	switch a.random.IntN(8) {
	case 0, 1, 2:
		a.commit()
	case 3:
		a.putCard()
	case 4:
		a.publish()
	case 5, 6:
		a.resolve()
	case 7:
		a.describe()
	}
}

func (a *agreement) name() genesis.Name {
	return genesis.Name([]string{"a", "b", "b-c", "~ann/d"}[a.random.IntN(4)])
}

func (a *agreement) card() genesis.Card {
	return genesis.Card{Title: []string{"Wind farm", "Solar field", "Old mill"}[a.random.IntN(3)]}
}

// version returns a version that there is, or now and then one there is not.
func (a *agreement) version() genesis.Version {
	if len(a.model.versions) == 0 || a.random.IntN(10) == 0 {
		return genesis.Version{Name: a.name(), Digest: genesis.DigestOf([]byte("none"))}
	}
	return a.model.versions[a.random.IntN(len(a.model.versions))].Version
}

// same compares the kinds of errors and reports whether both sides succeeded.
func (a *agreement) same(what string, err error, want genesis.ErrorKind) bool {
	a.t.Helper()
	if genesis.KindOf(err) != want {
		a.t.Fatalf("%s: error is %v, the model says %q", what, err, want)
	}
	return err == nil
}

func (a *agreement) commit() {
	in := commitOf(a.name(), dataset(fmt.Sprint(a.random.IntN(4))))
	if a.random.IntN(6) == 0 {
		in.Kind, in.Manifest = genesis.Model, genesis.Manifest{Format: 1, Kind: genesis.Model, Parts: map[string]genesis.Digest{"w": genesis.DigestOf(nil)}}
	}
	in.Rows, in.Bytes = a.random.Int64N(100), a.random.Int64N(100)
	var card *genesis.Card
	if a.random.IntN(2) == 0 {
		c := a.card()
		card = &c
		in.Records = map[genesis.RecordKind]any{genesis.RecordCard: c}
	}
	for range a.random.IntN(3) {
		in.Parents = append(in.Parents, a.version())
	}
	text, err := genesis.CanonicalJSON(in.Manifest)
	if err != nil {
		a.t.Fatal(err)
	}
	v := genesis.Version{Name: in.Name, Kind: in.Kind, Digest: genesis.DigestOf(text), State: genesis.Draft, Creator: in.By, Rows: in.Rows, Bytes: in.Bytes}
	old := a.model.exact(v.Ref()) != nil
	want := a.model.commit(v, card, in.Parents)
	got, unchanged, err := a.home.Commit(a.t.Context(), in)
	if !a.same("commit "+v.Ref().String(), err, want) {
		return
	}
	if unchanged != old {
		a.t.Fatalf("commit %s: unchanged is %v, the model says %v", v.Ref(), unchanged, old)
	}
	mine := a.model.exact(v.Ref())
	if !old {
		mine.Created = got.Created
	}
	if diff := cmp.Diff(mine.Version, got); diff != "" {
		a.t.Fatalf("commit (-model +catalog):\n%s", diff)
	}
}

func (a *agreement) putCard() {
	v, card := a.version(), a.card()
	var want genesis.ErrorKind = genesis.NotFound
	if mine := a.model.exact(v.Ref()); mine != nil {
		mine.put(card)
		a.model.events++
		want = ""
	}
	a.same("put card", a.home.PutRecord(a.t.Context(), v, genesis.RecordCard, card, "local"), want)
}

func (a *agreement) publish() {
	v := a.version()
	var want genesis.ErrorKind = genesis.NotFound
	mine := a.model.exact(v.Ref())
	if mine != nil {
		if mine.Number == 0 {
			mine.Number, mine.State = a.model.numbers(v.Name)+1, genesis.Published
			a.model.events++
		}
		want = ""
	}
	got, err := a.home.Publish(a.t.Context(), v, "local")
	if a.same("publish", err, want) && got != mine.Version {
		a.t.Fatalf("publish gives %+v, the model says %+v", got, mine.Version)
	}
}

func (a *agreement) resolve() {
	ref := genesis.Ref{Name: a.name()}
	switch a.random.IntN(3) {
	case 1:
		ref.Number = 1 + a.random.IntN(4)
	case 2:
		ref = a.version().Ref()
	}
	mine := a.model.resolve(ref)
	got, err := a.home.Resolve(a.t.Context(), ref, nil)
	if mine == nil {
		a.same("resolve "+ref.String(), err, genesis.NotFound)
		return
	}
	if a.same("resolve "+ref.String(), err, "") && got != mine.Version {
		a.t.Fatalf("%s means %+v, the model says %+v", ref, got, mine.Version)
	}
}

func (a *agreement) describe() {
	v := a.version()
	mine := a.model.exact(v.Ref())
	got, err := a.home.Describe(a.t.Context(), v, nil)
	if mine == nil {
		a.same("describe", err, genesis.NotFound)
		return
	}
	if !a.same("describe", err, "") {
		return
	}
	var want genesis.Description
	want.Version, want.Manifest = mine.Version, got.Manifest
	if n := len(mine.cards); n > 0 {
		want.Card = mine.cards[n-1]
	}
	for _, other := range slices.Backward(a.model.versions) {
		if other.Name == v.Name {
			want.Versions = append(want.Versions, other.Version)
		}
	}
	for _, other := range a.model.versions {
		if slices.Contains(other.parents, v.Ref()) {
			want.UsedBy = append(want.UsedBy, other.Ref())
		}
	}
	slices.SortStableFunc(want.UsedBy, func(x, y genesis.Ref) int { return strings.Compare(string(x.Name), string(y.Name)) })
	if diff := cmp.Diff(want, got); diff != "" {
		a.t.Fatalf("describe (-model +catalog):\n%s", diff)
	}
	history, err := a.home.History(a.t.Context(), v, genesis.RecordCard)
	if err != nil || len(history) != len(mine.cards) {
		a.t.Fatalf("%d editions of the card, %v, the model says %d", len(history), err, len(mine.cards))
	}
}

// compare lists, searches and verifies everything at the end.
func (a *agreement) compare() {
	var want []genesis.Asset
	found := map[string][]string{}
	for _, name := range []genesis.Name{"a", "b", "b-c", "~ann/d"} {
		current := a.model.resolve(genesis.Ref{Name: name})
		if current == nil {
			continue
		}
		asset := genesis.Asset{Name: name, Kind: current.Kind, Latest: &current.Version}
		if n := len(current.cards); n > 0 {
			asset.Title = current.cards[n-1].Title
			word, _, _ := strings.Cut(asset.Title, " ")
			found[word] = append(found[word], string(name))
		}
		want = append(want, asset)
	}
	got, next, err := a.home.List(a.t.Context(), ListQuery{})
	if err != nil || next != "" {
		a.t.Fatal(next, err)
	}
	for i := range got {
		got[i].Created = want[min(i, len(want)-1)].Created
	}
	if diff := cmp.Diff(want, got); diff != "" {
		a.t.Errorf("list (-model +catalog):\n%s", diff)
	}
	for _, word := range []string{"Wind", "Solar", "Old"} {
		hits, err := a.home.Search(a.t.Context(), SearchQuery{Text: word})
		names := strings.Fields(names(hits))
		slices.Sort(names)
		if err != nil || fmt.Sprint(names) != fmt.Sprint(found[word]) {
			a.t.Errorf("%q finds %v, %v, the model says %v", word, names, err, found[word])
		}
	}
	if n := entries(a.t, a.home.db); n != a.model.events {
		a.t.Errorf("%d journal entries, the model says %d", n, a.model.events)
	}
}
