package figures

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// version is what the log says of a version.
type version struct {
	asset     string
	kind      genesis.Kind
	digest    genesis.Digest
	published time.Time // zero: it is a draft
	ended     time.Time // zero: it is not
	said      stated
	terms     []termed
}

// stated is the detail of a publication.
type stated struct {
	Kind        genesis.Kind   `json:"kind"`
	Field       string         `json:"field"`
	Challenge   string         `json:"challenge"`
	Institution string         `json:"institution"`
	Rows        int64          `json:"rows"`
	Bytes       int64          `json:"bytes"`
	Readiness   *genesis.Ready `json:"readiness"`
}

// termed are terms from a time on.
type termed struct {
	at    time.Time
	terms genesis.Terms
}

// key names a version.
type key struct {
	asset  string
	digest genesis.Digest
}

// estate is what a node holds: versions, and under which terms.
type estate struct {
	versions map[key]*version
	latest   map[string]*version       // of an asset, by publication
	owned    map[genesis.Digest]string // assets that belong to somebody, by what was published of them
	kinds    map[string]genesis.Kind
	traced
}

func (s *estate) init() {
	s.versions, s.latest, s.kinds, s.owned = map[key]*version{}, map[string]*version{}, map[string]genesis.Kind{}, map[genesis.Digest]string{}
}

func (s *estate) of(e genesis.AuditEntry) *version {
	k := key{e.Subject, e.Version}
	v := s.versions[k]
	if v == nil {
		v = &version{asset: e.Subject, digest: e.Version}
		s.versions[k] = v
	}
	return v
}

// add keeps what changes versions.
func (s *estate) add(e genesis.AuditEntry) {
	if e.Outcome != genesis.Done || e.Version == "" {
		return
	}
	switch e.Act {
	case "commit":
		if k := detail[stated](e).Kind; k != "" {
			s.kinds[e.Subject] = k
		}
	case "publish":
		v := s.of(e)
		v.said, v.published = detail[stated](e), e.Time
		v.kind = cmp.Or(v.said.Kind, s.kinds[e.Subject])
		s.latest[e.Subject] = v
		if strings.Contains(e.Subject, "/") {
			s.owned[e.Version] = e.Subject
		}
		s.traced.add(e.Seq)
	case "terms":
		v := s.of(e)
		v.terms = append(v.terms, termed{e.Time, detail[genesis.Terms](e)})
	case "withdraw", "erase":
		if v := s.versions[key{e.Subject, e.Version}]; v != nil && v.ended.IsZero() {
			v.ended = e.Time
			s.traced.add(e.Seq)
		}
	}
}

// named is the version that a reference names, as it stands in a detail: there, what belongs
// to somebody has their name, and here their pseudonym.
func (s *estate) named(text string) (asset string, v *version) {
	ref, err := genesis.ParseRef(text)
	if err != nil {
		return "", nil
	}
	if asset = string(ref.Name); strings.HasPrefix(asset, "~") {
		asset = s.owned[ref.Digest]
	}
	return asset, s.versions[key{asset, ref.Digest}]
}

// tierAt is the tier in force at a time; "" before there were terms.
func (v *version) tierAt(at time.Time) (tier genesis.Tier, hidden bool) {
	for _, t := range slices.Backward(v.terms) {
		if !t.at.After(at) {
			return t.terms.TierAt(at), t.terms.Hidden
		}
	}
	return "", false
}

// general reports whether everybody in a federation may know of a version at a time.
func (v *version) general(at time.Time) bool {
	if v == nil || v.published.IsZero() || v.published.After(at) || !v.ended.IsZero() && !v.ended.After(at) {
		return false
	}
	switch tier, hidden := v.tierAt(at); tier {
	case genesis.TierPublic, genesis.TierRegistered:
		return true
	case genesis.TierControlled:
		return !hidden
	}
	return false
}

// known reports whether everybody may know of what an entry is about: the version that it
// names, or the latest of the asset.
func (s *estate) known(e genesis.AuditEntry) bool {
	if e.Version == "" {
		return s.latest[e.Subject].general(e.Time)
	}
	return s.versions[key{e.Subject, e.Version}].general(e.Time)
}

// holdings are the datasets of an estate at a time, each by its latest version.
type holdings struct{ datasets, ready, passed, asked float64 }

func (s *estate) at(t time.Time) (h holdings) {
	latest := map[string]*version{}
	for _, v := range s.versions {
		there := !v.published.IsZero() && v.published.Before(t) && (v.ended.IsZero() || !v.ended.Before(t))
		if there && v.kind != genesis.Model && (latest[v.asset] == nil || latest[v.asset].published.Before(v.published)) {
			latest[v.asset] = v
		}
	}
	for _, v := range latest {
		h.datasets++
		if r := v.said.Readiness; r != nil {
			h.passed += float64(r.Passed)
			h.asked += float64(r.Passed + r.Failed)
			if r.Failed == 0 && r.Passed > 0 {
				h.ready++
			}
		}
	}
	return h
}

// opened counts what was published in a quarter.
type opened struct {
	now       both[[]*version] // published
	bytes     both[float64]
	wider     both[float64] // openings that came due
	published traced
	widened   traced
}

func (o *opened) init() {}

func (o *opened) add(m *Maker, e genesis.AuditEntry) {
	q := m.which(e.Time)
	if q < 0 || e.Outcome != genesis.Done {
		return
	}
	switch e.Act {
	case "publish":
		v := m.estate.of(e)
		o.now[q] = append(o.now[q], v)
		o.bytes[q] += float64(v.said.Bytes)
		if q == 0 {
			o.published.add(e.Seq)
		}
	case "terms": // by which it is grouped
		if q == 0 && slices.Contains(o.now[0], m.estate.of(e)) {
			o.published.add(e.Seq)
		}
	case "open":
		o.wider[q]++
		if q == 0 {
			o.widened.add(e.Seq)
		}
	}
}

// groups are the versions of this quarter that everybody may know of, by what was said of
// them.
func (o *opened) groups(at time.Time) (all []genesis.FigureGroup) {
	for _, by := range []struct {
		name string
		of   func(*version) string
	}{
		{"kind", func(v *version) string { return string(v.kind) }},
		{"tier", func(v *version) string { t, _ := v.tierAt(at); return string(t) }},
		{"field", func(v *version) string { return v.said.Field }},
		{"challenge", func(v *version) string { return v.said.Challenge }},
		{"institution", func(v *version) string { return v.said.Institution }},
	} {
		counts := map[string]float64{}
		for _, v := range o.now[0] {
			if v.general(at) {
				counts[cmp.Or(by.of(v), notStated)]++
			}
		}
		all = append(all, grouped(by.name, counts)...)
	}
	return all
}

// notStated names the group of what was not said.
const notStated = "not stated"

// grouped are groups by size, and then by name.
func grouped(by string, counts map[string]float64) (all []genesis.FigureGroup) {
	for name, n := range counts {
		all = append(all, genesis.FigureGroup{By: by, Name: name, Now: number(n)})
	}
	slices.SortFunc(all, func(a, b genesis.FigureGroup) int {
		return cmp.Or(cmp.Compare(*b.Now.Value, *a.Now.Value), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func number(n float64) genesis.Amount { return genesis.Amount{Value: &n} }
