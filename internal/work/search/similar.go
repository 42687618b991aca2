package search

import (
	"cmp"
	"context"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
)

// Similar returns versions like one that whoever asks may know of. Other nodes are asked
// for what they alone may know of there, as in a search; the version may be such a one itself.
func (s *Searcher) Similar(ctx context.Context, who genesis.Principal, ref genesis.Ref, limit int) (*genesis.SimilarList, error) {
	id := find.ID{Node: cmp.Or(ref.Node, s.Node), Name: ref.Name, Version: ref.Digest}
	asked := s.ask(ctx, who, func(node genesis.NodeID) []genesis.SearchQuery {
		all := []genesis.SearchQuery{{}} // what is alike has no word in common for certain
		named := genesis.SearchQuery{Text: `"` + string(id.Name) + `"`}
		if fq := query(named); node == id.Node && fq.Check() == nil { // where there is more than is told, it is told of all the same
			all = append(all, named)
		}
		return all
	})
	var out *genesis.SimilarList
	err := s.try(ctx, who, func(a *attempt) (err error) {
		out, err = a.similar(ctx, id, limit, asked)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (a *attempt) similar(ctx context.Context, id find.ID, limit int, asked *asked) (*genesis.SimilarList, error) {
	of, found, err := a.index.SimilarWith(ctx, a.known.Asker, id, limit, asked.documents())
	if why := asked.silence(id.Node); genesis.KindOf(err) == genesis.NotFound && why != "" {
		return nil, &genesis.Error{Op: "find similar", Kind: genesis.NotFound, Subject: string(id.Node) + "/" + string(id.Name), Msg: "is not in the catalogue, and its node could not be asked: " + why,
			Hint: "it may be something that only you may know of: ask again when its node answers", Err: err}
	}
	if err != nil {
		return nil, err
	}
	out := &genesis.SimilarList{Of: a.ref(of), Similar: []genesis.Similar{}}
	for _, l := range found {
		told, err := a.told(ctx, l.Listing, false)
		if err != nil {
			return nil, err
		}
		out.Similar = append(out.Similar, genesis.Similar{Ref: a.ref(told), Listing: told, Score: l.Score, Variables: l.Variables, Units: l.Units, Words: l.Words})
	}
	out.Coverage, err = a.coverage(ctx, asked)
	return out, err
}

// silence says why a node that was to be asked did not answer, or "".
func (a *asked) silence(node genesis.NodeID) string {
	if a == nil {
		return ""
	}
	of := map[genesis.NodeID]*genesis.NodeCoverage{node: {Node: node}}
	if a.tell(of); of[node].Answered {
		return ""
	}
	return of[node].Reason
}
