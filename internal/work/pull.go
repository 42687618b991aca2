package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work/pull"
)

// keepParts is how long what came of a pull that did not end stays: as long as blobs that
// nothing refers to.
const keepParts = grace

// spare is how much of the disk a pull leaves free.
const spare = 1 << 30

// askTime bounds how long it takes another node to say what a version consists of.
const askTime = 5 * time.Minute

// pulls are the versions that are being copied.
type pulls struct {
	mu      sync.Mutex
	fetched map[string]*pull.Fetched // by run, until its try is over
	bytes   map[genesis.PersonID]int64
}

// reserve counts what a person is copying, and refuses more than a quota; 0: there is none.
func (p *pulls) reserve(by genesis.PersonID, n, quota int64, ref genesis.Ref) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if have := p.bytes[by]; quota > 0 && n > quota-have {
		return &genesis.Error{Op: "pull", Kind: genesis.Unavailable, Subject: ref.String(),
			Msg: fmt.Sprintf("it has %d bytes; one person may copy %d at a time here, and %d are under way", n, quota, have), Hint: "ask an operator to pull it, or to raise uploads.quota in config.yaml"}
	}
	if p.bytes == nil {
		p.bytes, p.fetched = map[genesis.PersonID]int64{}, map[string]*pull.Fetched{}
	}
	p.bytes[by] += n
	return nil
}

func (p *pulls) release(by genesis.PersonID, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes[by] -= n; p.bytes[by] <= 0 {
		delete(p.bytes, by)
	}
}

func (p *pulls) put(run string, f *pull.Fetched) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetched[run] = f; f == nil {
		delete(p.fetched, run)
	}
}

func (p *pulls) of(run string) (*pull.Fetched, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.fetched[run]; f != nil {
		return f, nil
	}
	return nil, &genesis.Error{Op: "pull", Kind: genesis.Internal, Subject: run, Msg: "what was fetched for the run is not there"}
}

// Pull copies a version of another node, and waits for it.
func (s *Service) Pull(ctx context.Context, who genesis.Principal, req genesis.PullRequest, p genesis.Progress) (*genesis.Pulled, error) {
	return attached[genesis.Pulled](ctx, s, who, genesis.RunPull, req, nil, 0, p)
}

// allowPull decides whether who may make a copy of that name here. Whether they may have
// the version, its node decides.
func (s *Service) allowPull(ctx context.Context, who genesis.Principal, q genesis.PullRequest, pin *pinned) (subject string, err error) {
	ref, err := genesis.ParseRef(q.Ref)
	if err != nil {
		return "", err
	}
	switch {
	case ref.Node == "" || ref.Node == s.Node:
		return "", &genesis.Error{Op: "pull", Kind: genesis.Invalid, Subject: q.Ref, Msg: "is of this node already", Hint: "name another one: nrel/turbines"}
	case s.Peers == nil:
		return "", &genesis.Error{Op: "pull", Kind: genesis.Unsupported, Subject: q.Ref, Msg: "this node reaches no others"}
	case !who.SignedIn() || !s.home(who):
		return "", homeOnly("pull", who)
	}
	if _, ok := s.Charter.Member(ref.Node); !ok {
		return "", &genesis.Error{Op: "pull", Kind: genesis.NotFound, Subject: q.Ref, Msg: string(ref.Node) + " is no member of the federation, or not vouched for now", Hint: "`genesis members` lists them"}
	}
	name := q.Name
	if name == "" {
		if name, err = s.freeName(ctx, ref, genesis.CopyNames(ref, who.Subject, s.stewards(ctx, who))); err != nil {
			return "", err
		}
	}
	if err := genesis.CheckName(name); err != nil {
		return "", err
	}
	pin.Pull = &ref
	return string(name), s.may(ctx, who, genesis.Steward, name)
}

// freeName returns the first of some names that is not one of something else: of nothing
// yet, or of copies of what is copied.
func (s *Service) freeName(ctx context.Context, ref genesis.Ref, names [2]genesis.Name) (genesis.Name, error) {
	for _, name := range names {
		v, err := s.Catalog.Last(ctx, name, nil)
		if genesis.KindOf(err) == genesis.NotFound {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		from, err := s.copiedFrom(ctx, v)
		if err != nil || from != nil && from.From.Node == ref.Node && from.From.Name == ref.Name {
			return name, err
		}
	}
	return "", &genesis.Error{Op: "pull", Kind: genesis.Exists, Subject: ref.String(), Msg: fmt.Sprintf("%s and %s are names of something else here", names[0], names[1]), Hint: "say another: --name NAME"}
}

// copiedFrom says where a version was copied from; nil: it is none that was.
func (s *Service) copiedFrom(ctx context.Context, v genesis.Version) (*genesis.Copied, error) {
	var p genesis.Provenance
	err := s.Catalog.Record(ctx, v, genesis.RecordProvenance, &p)
	if genesis.KindOf(err) == genesis.NotFound {
		err = nil
	}
	return p.Copied, err
}

// fetchRun brings here what the process of a run could not.
func (s *Service) fetchRun(ctx context.Context, r genesis.Run, pin json.RawMessage, p genesis.Progress) error {
	if r.Kind != genesis.RunPull {
		return nil
	}
	var of pinned
	if err := json.Unmarshal(pin, &of); err != nil || of.Pull == nil {
		return nonsense(r, err)
	}
	err := s.fetchPull(ctx, r, *of.Pull, p)
	if k := genesis.KindOf(err); isRefusal(err) || k == genesis.NotFound || k == genesis.Gone || k == genesis.Invalid {
		s.forgetPull(context.WithoutCancel(ctx), r.By, of.Pull.Node) // it is not to be had: nor is a part of it
	}
	return err
}

// fetchPull brings a version here, and keeps it for the run until its try is over.
func (s *Service) fetchPull(ctx context.Context, r genesis.Run, ref genesis.Ref, p genesis.Progress) error {
	b, err := s.bundleOf(ctx, r.By, ref)
	if err != nil {
		return err
	}
	quota := s.Quota
	if s.atHome(r.By) {
		quota = 0
	}
	if err := s.pulls.reserve(r.By.Person(), b.Bytes, quota, ref); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() {
		s.pulls.release(r.By.Person(), b.Bytes)
		s.pulls.put(r.ID, nil)
	})
	here, err := s.sameHere(ctx, r.By, b.Version.Digest)
	if err != nil {
		return err
	}
	scope := pullScope{r.By.Person(), ref.Node}
	f := pull.Fetcher{Blobs: s.Blobs, Scope: scope.String(), Columns: s.Limits.WithDefaults().Columns, Spare: spare, Progress: p,
		Get: func(ctx context.Context, path string, h http.Header) (*http.Response, error) {
			return s.Peers.Get(ctx, r.By, ref.Node, path, h)
		},
		Mine:  func(ctx context.Context, b genesis.Blob) (bool, error) { return s.mine(ctx, scope, here, b) },
		Whole: func(ctx context.Context, d genesis.Digest) error { return s.received(ctx, scope, d) }}
	got, err := f.Fetch(ctx, b)
	if err != nil {
		return err
	}
	s.pulls.put(r.ID, got)
	return nil
}

// bundleOf asks a node what a version consists of.
func (s *Service) bundleOf(ctx context.Context, who genesis.Principal, ref genesis.Ref) (*genesis.Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	there := ref
	there.Node = ""
	resp, err := s.Peers.Get(ctx, who, ref.Node, "/versions/"+url.PathEscape(there.String())+"/bundle", nil)
	if err != nil {
		return nil, ofPeer(err, ref)
	}
	defer resp.Body.Close()
	return pull.ReadBundle(resp.Body, ref)
}

// ofPeer gives what another node says the version as its subject.
func ofPeer(err error, ref genesis.Ref) error {
	e, ok := err.(*genesis.Error)
	if !ok {
		return err
	}
	told := *e
	told.Op, told.Subject = "pull", ref.String()
	if told.Kind == genesis.NotFound {
		told.Msg = "is not there, or not for you to see"
	}
	return &told
}

// pullScope is who copies, and from whom: what came so far is theirs alone.
type pullScope struct {
	person genesis.PersonID
	node   genesis.NodeID
}

func (p pullScope) String() string { return string(p.person) + " from " + string(p.node) }

// sameHere are the blobs of versions of just this content that somebody may read here: they
// need not come again. What is here for others is none of theirs, though they know its
// digest: whoever could name bytes to have them could read everything.
func (s *Service) sameHere(ctx context.Context, who genesis.Principal, d genesis.Digest) (map[genesis.Digest]genesis.Blob, error) {
	all, err := s.Catalog.Alike(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		d, err := s.Access.Decide(ctx, s.ask(who, genesis.Read, resource(v)))
		if isRefusal(err) { // which nobody asked for: it is no evidence of anything
			continue
		}
		if err == nil {
			err = s.record(ctx, d)
		}
		if err != nil {
			return nil, err
		}
		in, err := s.remembered.of(ctx, s, v)
		if err != nil {
			continue // it is damaged, and comes anew
		}
		return in.blobs, nil
	}
	return nil, nil
}

// mine reports whether a blob is here and may be taken for one of the version's.
func (s *Service) mine(ctx context.Context, scope pullScope, here map[genesis.Digest]genesis.Blob, b genesis.Blob) (bool, error) {
	known, ok := here[b.Digest]
	if !ok || known != b {
		err := s.DB.Read().QueryRowContext(ctx, "SELECT count(*) > 0 FROM pulled_blobs WHERE person = $1 AND node = $2 AND digest = $3",
			string(scope.person), string(scope.node), string(b.Digest)).Scan(&ok)
		if err != nil {
			return false, store.Error("pull", string(b.Digest), err)
		}
	}
	if !ok {
		return false, nil
	}
	return s.Blobs.Held(ctx, b)
}

// received notes that all of a blob came.
func (s *Service) received(ctx context.Context, scope pullScope, d genesis.Digest) error {
	return s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO pulled_blobs (person, node, digest, at) VALUES ($1, $2, $3, $4) ON CONFLICT (person, node, digest) DO UPDATE SET at = excluded.at",
			string(scope.person), string(scope.node), string(d), store.Time(s.now()))
		return store.Error("pull", string(d), err)
	})
}

// forgetPull lets nothing of what came be taken up again.
func (s *Service) forgetPull(ctx context.Context, who genesis.Principal, node genesis.NodeID) {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM pulled_blobs WHERE person = $1 AND node = $2", string(who.Person()), string(node))
		return store.Error("pull", string(node), err)
	})
	if err != nil {
		s.log().Error("what came of a pull is not forgotten", "error", err)
	}
}

// PruneParts removes what came of pulls that did not end, and to which nothing was added for
// a while.
func (s *Service) PruneParts(ctx context.Context) error {
	since := s.now().Add(-keepParts)
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM pulled_blobs WHERE at < $1", store.Time(since))
		return store.Error("prune pulls", "", err)
	})
	if err != nil {
		return err
	}
	return s.Blobs.PruneParts(ctx, since)
}

// pullTask is what checking a copy needs to know.
type pullTask struct {
	Version  genesis.Version  `json:"version"`
	Manifest genesis.Manifest `json:"manifest"`
	Layout   genesis.Layout   `json:"layout"`
}

func (s *Service) planPull(r genesis.Run) (any, error) {
	f, err := s.pulls.of(r.ID)
	if err != nil {
		return nil, err
	}
	return pullTask{Version: f.Bundle.Version, Manifest: f.Manifest, Layout: f.Bundle.Layout}, nil
}

// verifyCopy recomputes what the version is named by from the bytes that came: a layout is
// its node's word, and may name any.
func (w *Workbench) verifyCopy(ctx context.Context, t pullTask, p genesis.Progress) (*genesis.Verification, error) {
	ver := &verifier{blobStore: w.Blobs, p: p, m: t.Manifest, l: t.Layout, out: &genesis.Verification{Version: t.Version, Damage: []genesis.Damage{}}}
	return ver.out, ver.columns(ctx)
}

// checkCopy refuses a copy whose values are not those that the version is named by.
func checkCopy(ref genesis.Ref, v *genesis.Verification) error {
	if len(v.Damage) == 0 {
		return nil
	}
	d := v.Damage[0]
	where := slices.DeleteFunc([]string{d.Table, d.Column}, func(s string) bool { return s == "" })
	return &genesis.Error{Op: "pull", Kind: genesis.Invalid, Subject: ref.String(), Msg: "its bytes do not hold: " + strings.Join(where, ", ") + ": " + d.Msg,
		Hint: "nothing was kept; tell the operator of " + string(ref.Node)}
}
