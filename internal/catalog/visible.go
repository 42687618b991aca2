package catalog

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// Visible says whether somebody may know of a version; nil shows everything. It
// must answer the same for the same version throughout one call. It is never
// called while the call holds a connection of the database, so it may use one.
//
// What it hides is to the caller as if it did not exist: a catalogue without
// those versions would give the same answers, byte for byte.
type Visible func(genesis.Version) bool

func (v Visible) shows(r row) bool { return v == nil || v(r.Version) }

// current returns the version by which an asset is known to whom v shows this
// much of its versions: the published one with the highest number, else the draft
// that was committed last. It sorts the versions.
func (v Visible) current(versions []row) (row, bool) {
	slices.SortFunc(versions, byCurrency)
	for _, r := range versions {
		if r.State != genesis.Published && r.State != genesis.Draft {
			continue
		}
		if v.shows(r) {
			return r, true
		}
	}
	return row{}, false
}

// byCurrency orders the versions of an asset: published ones first, then drafts,
// those that are neither last; the newest of each first.
func byCurrency(a, b row) int {
	rank := func(r row) int { return slices.Index([]genesis.State{genesis.Published, genesis.Draft}, r.State) & 3 } // −1 becomes 3
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Number, a.Number), cmp.Compare(b.turn, a.turn))
}

// asset returns what is shown of an asset: its current version, the title that its
// card gives it, and the time of the oldest version that v shows.
func (v Visible) asset(versions []row, current row) genesis.Asset {
	a := genesis.Asset{Name: current.Name, Kind: current.Kind, Title: current.title, Latest: &current.Version, Created: current.Created}
	for _, r := range versions {
		if r.State != genesis.Erased && r.Created.Before(a.Created) && v.shows(r) {
			a.Created = r.Created
		}
	}
	return a
}

// only returns the versions that v shows.
func (v Visible) only(versions []row) []genesis.Version {
	var all []genesis.Version
	for _, r := range versions {
		if v.shows(r) {
			all = append(all, r.Version)
		}
	}
	return all
}

// groups returns the versions of assets, by the asset's key.
func groups(ctx context.Context, q queryer, assets []int64) (map[int64][]row, error) {
	all, err := versions(ctx, q, "WHERE v.asset_id IN ("+list(assets)+")")
	byAsset := make(map[int64][]row, len(assets))
	for _, r := range all {
		byAsset[r.asset] = append(byAsset[r.asset], r)
	}
	return byAsset, err
}

// list writes keys as SQL wants them between brackets.
func list(keys []int64) string {
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(k, 10))
	}
	return b.String()
}

// clock returns the time to the microsecond, as it is kept.
func (c *Catalog) clock() time.Time { return c.now().UTC().Truncate(time.Microsecond) }
