package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
	parents []genesis.Ref  // of all times
	said    []genesis.Ref  // those that the provenance names
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

// numbers returns how many versions of an asset were published.
func (m *model) numbers(name genesis.Name) int {
	n := 0
	for _, v := range m.versions {
		if v.Name == name {
			n = max(n, v.Number)
		}
	}
	return n
}

func (m *model) resolve(r genesis.Ref, visible func(genesis.Version) bool) *modelVersion {
	if r.Digest != "" || r.Number != 0 {
		return m.find(func(v *modelVersion) bool {
			return v.Name == r.Name && (v.Digest == r.Digest || r.Number != 0 && v.Number == r.Number) && visible(v.Version)
		})
	}
	var best *modelVersion
	for _, v := range m.versions {
		if v.Name != r.Name || !visible(v.Version) {
			continue
		}
		if v.State == genesis.Draft && (best == nil || best.State == genesis.Draft) ||
			v.State == genesis.Published && (best == nil || v.Number > best.Number) {
			best = v
		}
	}
	return best
}

// commit answers with the kind of error that Catalog.Commit should give.
func (m *model) commit(v genesis.Version, card *genesis.Card, parents []genesis.Version) genesis.ErrorKind {
	if have := m.kind(v.Name); have != "" && have != v.Kind {
		return genesis.Conflict
	}
	old := m.exact(v.Ref())
	if old != nil && (old.State == genesis.Withdrawn || old.State == genesis.Erased && old.Number != 0) {
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
	if old != nil {
		m.versions = slices.DeleteFunc(m.versions, func(o *modelVersion) bool { return o == old })
		old.Rows, old.Bytes = v.Rows, v.Bytes
		if old.State == genesis.Erased {
			old.Version = v
		}
	} else {
		old = &modelVersion{Version: v}
	}
	m.versions = append(m.versions, old)
	if card != nil {
		old.put(*card)
	}
	old.said = nil
	for _, p := range parents {
		old.said = append(old.said, p.Ref())
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
	sequences := uint64(3)
	if testing.Short() {
		sequences = 1
	}
	for seed := range sequences {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			a := agreement{t: t, home: open(t), random: rand.New(rand.NewPCG(seed, 1))}
			for range 250 {
				a.step()
			}
			a.compare(nil)
			for range 10 {
				a.compare(a.visible())
			}
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
	switch a.random.IntN(12) {
	case 0, 1, 2:
		a.commit()
	case 3:
		a.putCard()
	case 4, 5:
		a.publish()
	case 6, 7:
		a.resolve()
	case 8:
		a.describe()
	case 9:
		a.compare(a.visible())
	case 10:
		a.withdraw()
	case 11:
		if a.random.IntN(3) == 0 {
			a.erase()
		}
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

// visible hides a random share of what there is and of what there will be.
func (a *agreement) visible() Visible {
	salt, share := a.random.Uint64(), a.random.IntN(256)
	return func(v genesis.Version) bool {
		sum := genesis.DigestOf(fmt.Append(nil, salt, v.Ref()))
		n, _ := strconv.ParseUint(sum.Hex()[:2], 16, 8)
		return int(n) >= share
	}
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
	mine := a.model.exact(v.Ref())
	old := mine != nil && mine.State != genesis.Erased
	if in.Parents != nil || mine != nil {
		prov := genesis.Provenance{By: "local"}
		for _, p := range in.Parents {
			prov.Parents = append(prov.Parents, p.Ref())
		}
		if in.Records == nil {
			in.Records = map[genesis.RecordKind]any{}
		}
		in.Records[genesis.RecordProvenance] = prov
	}
	want := a.model.commit(v, card, in.Parents)
	got, unchanged, err := a.home.Commit(a.t.Context(), in)
	if !a.same("commit "+v.Ref().String(), err, want) {
		return
	}
	if unchanged != old {
		a.t.Fatalf("commit %s: unchanged is %v, the model says %v", v.Ref(), unchanged, old)
	}
	mine = a.model.exact(v.Ref())
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
	if mine := a.model.exact(v.Ref()); mine != nil && mine.State == genesis.Erased {
		want = genesis.Conflict
	} else if mine != nil {
		mine.put(card)
		a.model.events++
		want = ""
	}
	a.same("put card", a.home.PutRecord(a.t.Context(), v, genesis.RecordCard, card, "local"), want)
}

// change does something to a version that only some states allow.
func (a *agreement) change(what string, from, to genesis.State, do func(genesis.Version) (genesis.Version, error)) {
	v := a.version()
	var want genesis.ErrorKind = genesis.NotFound
	mine := a.model.exact(v.Ref())
	if mine != nil {
		want = genesis.Conflict
	}
	if mine != nil && (mine.State == from || mine.State == to) {
		want = ""
	}
	if want == "" && mine.State == from {
		if mine.State = to; mine.Number == 0 {
			mine.Number = a.model.numbers(v.Name) + 1
		}
		a.model.events++
	}
	got, err := do(v)
	if a.same(what, err, want) && got != mine.Version {
		a.t.Fatalf("%s gives %+v, the model says %+v", what, got, mine.Version)
	}
}

func (a *agreement) publish() {
	a.change("publish", genesis.Draft, genesis.Published, func(v genesis.Version) (genesis.Version, error) {
		return a.home.Publish(a.t.Context(), v, "local")
	})
}

func (a *agreement) withdraw() {
	a.change("withdraw", genesis.Published, genesis.Withdrawn, func(v genesis.Version) (genesis.Version, error) {
		return a.home.Withdraw(a.t.Context(), v, "local", "why not")
	})
}

func (a *agreement) erase() {
	v := a.version()
	var want genesis.ErrorKind = genesis.NotFound
	mine := a.model.exact(v.Ref())
	if mine != nil {
		want = ""
		mine.State, mine.Rows, mine.Bytes, mine.cards, mine.said = genesis.Erased, 0, 0, nil, nil
		a.model.events++
	}
	got, err := a.home.Erase(a.t.Context(), v, EraseOptions{By: "local"})
	if a.same("erase", err, want) && got != mine.Version {
		a.t.Fatalf("erase gives %+v, the model says %+v", got, mine.Version)
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
	visible := a.visible()
	mine := a.model.resolve(ref, visible)
	got, err := a.home.Resolve(a.t.Context(), ref, visible)
	if mine == nil {
		a.same("resolve "+ref.String(), err, genesis.NotFound)
		return
	}
	if a.same("resolve "+ref.String(), err, "") && got != mine.Version {
		a.t.Fatalf("%s means %+v, the model says %+v", ref, got, mine.Version)
	}
}

func (a *agreement) describe() {
	v, visible := a.version(), a.visible()
	mine := a.model.exact(v.Ref())
	got, err := a.home.Describe(a.t.Context(), v, visible)
	if mine == nil || !visible(mine.Version) {
		a.same("describe", err, genesis.NotFound)
		return
	}
	if !a.same("describe", err, "") {
		return
	}
	want := a.model.describe(mine, visible)
	want.Manifest = got.Manifest
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(genesis.Description{}, "Provenance"), cmpopts.IgnoreFields(genesis.End{}, "At")); diff != "" {
		a.t.Fatalf("describe (-model +catalog):\n%s", diff)
	}
	var said []genesis.Ref
	if got.Provenance != nil {
		said = got.Provenance.Parents
	}
	if want := slices.DeleteFunc(slices.Clone(mine.said), func(r genesis.Ref) bool { return !visible(a.model.exact(r).Version) }); fmt.Sprint(want) != fmt.Sprint(said) {
		a.t.Fatalf("made from %v, the model says %v", said, want)
	}
	history, err := a.home.History(a.t.Context(), v, genesis.RecordCard)
	if err != nil || len(history) != len(mine.cards) {
		a.t.Fatalf("%d editions of the card, %v, the model says %d", len(history), err, len(mine.cards))
	}
}

func (m *model) describe(mine *modelVersion, visible Visible) genesis.Description {
	d := genesis.Description{Version: mine.Version}
	if mine.State == genesis.Withdrawn { // erasing says no reason here, and forgets this one
		d.End = &genesis.End{State: genesis.Withdrawn, Reason: "why not"}
	}
	if n := len(mine.cards); n > 0 {
		d.Card = mine.cards[n-1]
	}
	for _, other := range slices.Backward(m.versions) {
		if other.Name == mine.Name && visible(other.Version) {
			d.Versions = append(d.Versions, other.Version)
		}
	}
	for _, other := range m.versions {
		if slices.Contains(other.parents, mine.Ref()) && visible(other.Version) {
			d.UsedBy = append(d.UsedBy, other.Ref())
		}
	}
	slices.SortStableFunc(d.UsedBy, func(x, y genesis.Ref) int { return strings.Compare(string(x.Name), string(y.Name)) })
	return d
}

// list returns the assets as they are shown, and those that a word of their titles
// finds.
func (m *model) list(visible Visible) (all []genesis.Asset, found map[string][]string) {
	found = map[string][]string{}
	for _, name := range []genesis.Name{"a", "b", "b-c", "~ann/d"} {
		current := m.resolve(genesis.Ref{Name: name}, visible.orAll())
		if current == nil {
			continue
		}
		asset := genesis.Asset{Name: name, Kind: current.Kind, Latest: &current.Version, Created: current.Created}
		for _, v := range m.versions {
			if v.Name == name && v.State != genesis.Erased && v.Created.Before(asset.Created) && visible.orAll()(v.Version) {
				asset.Created = v.Created
			}
		}
		if n := len(current.cards); n > 0 {
			asset.Title = current.cards[n-1].Title
			word, _, _ := strings.Cut(asset.Title, " ")
			found[word] = append(found[word], string(name))
		}
		all = append(all, asset)
	}
	return all, found
}

func (v Visible) orAll() Visible {
	if v == nil {
		return func(genesis.Version) bool { return true }
	}
	return v
}

// compare lists, searches and verifies everything.
func (a *agreement) compare(visible Visible) {
	want, found := a.model.list(visible)
	var got []genesis.Asset
	for after, limit := "", 1+a.random.IntN(4); ; {
		page, next, err := a.home.List(a.t.Context(), ListQuery{After: after, Limit: limit, Visible: visible})
		if err != nil || next != "" && len(page) != limit {
			a.t.Fatalf("a page of %d assets and cursor %q, %v", len(page), next, err)
		}
		got = append(got, page...)
		if after = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		a.t.Fatalf("list (-model +catalog):\n%s", diff)
	}
	for _, word := range []string{"Wind", "Solar", "Old"} {
		hits, err := a.home.lookup(a.t, word, 0, visible)
		if err != nil {
			a.t.Fatal(err)
		}
		at := map[string]bool{} // a version at two places is one hit, by what one of these says
		for _, h := range hits {
			for _, p := range h.Places {
				at[string(p.Name)] = true
			}
			if !slices.Contains(found[word], string(h.Name)) {
				a.t.Fatalf("%q finds %s, the model says %v", word, h.Name, found[word])
			}
		}
		for _, name := range found[word] {
			if !at[name] {
				a.t.Fatalf("%q finds %v, the model says %v", word, names(hits), found[word])
			}
		}
		for _, h := range hits {
			mine := want[slices.IndexFunc(want, func(w genesis.Asset) bool { return w.Name == h.Name })]
			if mine.Latest.Digest != h.Version || mine.Latest.Number != h.Number || mine.Title != h.Title {
				a.t.Fatalf("%q finds %+v, the model says %+v", word, h.Listing, mine)
			}
		}
	}
	if visible != nil {
		return
	}
	if n := entries(a.t, a.home.db); n != a.model.events {
		a.t.Errorf("%d journal entries, the model says %d", n, a.model.events)
	}
	if damage, err := a.home.Check(a.t.Context()); err != nil || damage != nil {
		a.t.Errorf("damage: %v, %v", damage, err)
	}
}
