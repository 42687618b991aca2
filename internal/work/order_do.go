package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work/run"
)

// How often the clerk looks by itself, how many orders it has in hand at once, and for how
// long it leaves one alone that cannot be carried out now.
const (
	clerkEvery  = 2 * time.Second
	clerkAtOnce = 4
	firstLater  = time.Second
	mostLater   = 5 * time.Minute
)

// clerk carries on what messages about runs began: it decides the orders that were taken,
// tells how their runs stand, and minds what was ordered elsewhere. All that it goes by
// is in the database, so that after a crash it goes on.
type clerk struct {
	s    *Service
	ring chan struct{}
	stop context.CancelFunc
	work sync.WaitGroup

	mu    sync.Mutex
	busy  map[string]bool // orders in hand; true: look again afterwards
	later map[string]postponed
	asked map[string]time.Time // when it was last asked again about a run at another node
}

// postponed is an order that is left alone for a while.
type postponed struct {
	until    time.Time
	pause    time.Duration
	canceled bool // it was to be canceled by then
}

// keeps reports whether an order is still left alone. That it is to be canceled is new once.
func (p postponed) keeps(o order, now time.Time) bool {
	wait := p.until.Sub(now)
	return wait > 0 && wait <= p.pause && (p.canceled || !o.canceled) // longer: the clock was set back
}

func newClerk(s *Service) *clerk {
	return &clerk{s: s, ring: make(chan struct{}, 1), stop: func() {}, busy: map[string]bool{}, later: map[string]postponed{}, asked: map[string]time.Time{}}
}

func (c *clerk) start() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.work.Go(func() { c.run(ctx) })
	c.look()
}

func (c *clerk) close() {
	c.stop()
	c.work.Wait()
}

// quiet reports whether nothing was heard for so long of a run at another node that it is
// asked again, and takes it for asked.
func (c *clerk) quiet(r genesis.Run) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, last := c.s.now(), time.Time{}
	for _, t := range []time.Time{c.asked[r.ID], r.Created, r.Heard} {
		if t.After(last) && !t.After(now) { // later: the clock was set back
			last = t
		}
	}
	if now.Sub(last) < mostQuiet {
		return false
	}
	c.asked[r.ID] = now
	return true
}

// forget keeps no more of runs that are not among those.
func (c *clerk) forget(all []run.Pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.asked, func(id string, _ time.Time) bool {
		return !slices.ContainsFunc(all, func(r run.Pending) bool { return r.ID == id })
	})
}

// look has the clerk look at what there is.
func (c *clerk) look() {
	if c == nil {
		return
	}
	select {
	case c.ring <- struct{}{}:
	default:
	}
}

// Look has what messages began carried on, and tells those who wait for news.
func (s *Service) Look() {
	s.clerk.look()
	s.heard.ring()
}

func (c *clerk) run(ctx context.Context) {
	tick := time.NewTicker(clerkEvery)
	defer tick.Stop()
	for {
		ticked := false
		select {
		case <-ctx.Done():
			return
		case <-c.ring:
		case <-tick.C:
			ticked = true
		}
		if err := c.pass(ctx); err != nil && ctx.Err() == nil {
			c.s.log().Warn("orders of other nodes cannot be looked at", "error", err)
		}
		if !ticked {
			continue
		}
		if err := c.s.mindSent(ctx); err != nil && ctx.Err() == nil {
			c.s.log().Warn("runs at other nodes cannot be looked after", "error", err)
		}
	}
}

// dueOrders are the orders that something is to be done about: of each node in turn, first
// those that are to be canceled, then those of which there is news, then those that came
// first. So none keeps those of another from being looked at, nor its own cancels.
func (s *Service) dueOrders(ctx context.Context) ([]order, error) {
	rows, err := s.DB.Read().QueryContext(ctx, `SELECT run, node, message, asker, request, state, canceled FROM (
			SELECT o.run, o.node, o.message, o.asker, o.request, o.state, o.canceled, o.taken_at,
				row_number() OVER (PARTITION BY o.node ORDER BY o.canceled DESC, CASE o.state WHEN $2 THEN 1 ELSE 0 END, o.taken_at, o.run) AS place
			FROM run_orders o LEFT JOIN runs r ON r.id = o.run
			WHERE o.state <> $1 AND (o.state = $2 OR r.state IS NULL OR r.state <> o.told OR r.tries <> o.tries OR o.canceled = 1))
		ORDER BY place, taken_at, run LIMIT 200`, orderEnded, orderTaken)
	if err != nil {
		return nil, store.Error("list orders", "", err)
	}
	defer rows.Close()
	var all []order
	for rows.Next() {
		o, err := scanOrder(rows.Scan)
		if err != nil {
			return nil, store.Error("list orders", "", err)
		}
		all = append(all, o)
	}
	return all, store.Error("list orders", "", rows.Err())
}

func (c *clerk) pass(ctx context.Context) error {
	all, err := c.s.dueOrders(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		if c.claim(o) {
			c.work.Go(func() { c.handle(ctx, o) })
		}
	}
	return nil
}

// claim takes an order in hand, unless it is, or too many are, or its time has not come.
func (c *clerk) claim(o order) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, has := c.busy[o.run]; has {
		c.busy[o.run] = true
		return false
	}
	if len(c.busy) >= clerkAtOnce || c.later[o.run].keeps(o, c.s.now()) {
		return false
	}
	c.busy[o.run] = false
	return true
}

func (c *clerk) handle(ctx context.Context, o order) {
	err := c.s.carryOn(ctx, o)
	c.mu.Lock()
	again := c.busy[o.run] || len(c.busy) >= clerkAtOnce
	delete(c.busy, o.run)
	if err == nil {
		delete(c.later, o.run)
	} else {
		pause := min(max(firstLater, 2*c.later[o.run].pause), mostLater)
		c.later[o.run] = postponed{c.s.now().Add(pause), pause, o.canceled}
	}
	c.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		c.s.log().Warn("an order of another node waits", "run", o.run, "node", o.node, "error", err)
	}
	if again {
		c.look()
	}
}

// carryOn does what is to be done about an order. An error says that it is to be tried
// again; whatever is final is told.
func (s *Service) carryOn(ctx context.Context, o order) error {
	_, err := s.runs.Run(ctx, o.run)
	switch none := genesis.KindOf(err) == genesis.NotFound; {
	case err != nil && !none:
		return err
	case none && o.canceled:
		return s.refuseOrder(ctx, o, canceledEarly(o.run))
	case none && o.state == orderSubmitted:
		return s.refuseOrder(ctx, o, &genesis.Error{Op: "train", Kind: genesis.Internal, Subject: o.run, Msg: "the run is no more"})
	case none:
		return s.decideOrder(ctx, o)
	case o.canceled:
		if _, err := s.runs.Cancel(ctx, o.run, o.asker.Person()); err != nil && genesis.KindOf(err) != genesis.Conflict {
			return err
		}
	}
	return s.tellOfRun(ctx, o)
}

// decideOrder decides an order as if whoever asked were here, and queues the run.
func (s *Service) decideOrder(ctx context.Context, o order) error {
	who, err := s.Identity.Lasting(ctx, o.asker)
	if err == nil {
		err = s.submitOrder(ctx, who, o)
	}
	switch genesis.KindOf(err) {
	case "":
		return s.tellOfRun(ctx, o)
	case genesis.Unavailable, genesis.Canceled, genesis.Internal:
		return err
	}
	return s.refuseOrder(ctx, o, err)
}

func (s *Service) submitOrder(ctx context.Context, who genesis.Principal, o order) error {
	q, err := parse[genesis.TrainRequest](o.request)
	if err != nil {
		return err
	}
	if q, err = s.completed(ctx, who, q); err != nil {
		return err
	}
	pin := pinned{order: o.run}
	if err := s.allowTraining(ctx, who, q, &pin); err != nil {
		return err
	}
	_, err = s.runs.Submit(ctx, o.request, who, run.Inputs{Subject: string(q.Name), Pinned: pin})
	return err
}

// completed fills in what an order leaves open: what is to be predicted, and the name,
// which is one of the asker's own unless they may make another here.
func (s *Service) completed(ctx context.Context, who genesis.Principal, q genesis.TrainRequest) (genesis.TrainRequest, error) {
	v, err := s.find(ctx, who, q.Dataset)
	if err != nil {
		return q, err
	}
	if q.Name == "" {
		d, err := s.Catalog.Describe(ctx, v, nil)
		if err != nil {
			return q, err
		}
		t := &training{table: q.Table, targets: q.Target}
		if err := t.choose(d.Manifest); err != nil {
			return q, err
		}
		q.Name = genesis.Name(nameOf(path.Base(string(v.Name)) + "-" + t.targets[0]))
	}
	if strings.HasPrefix(string(q.Name), "~") {
		return q, nil
	}
	_, err = s.Access.Decide(ctx, s.ask(who, genesis.Steward, access.Resource{Name: q.Name}))
	if isRefusal(err) {
		q.Name, err = genesis.OwnName(who.Person(), s.Node, string(q.Name)), nil
	}
	return q, err
}

// nameOf makes a name of words: what is none of it becomes '-'.
func nameOf(words string) string {
	const most = 64
	var b strings.Builder
	for _, r := range strings.ToLower(words) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if n := b.Len(); n > 0 && b.String()[n-1] != '-' {
			b.WriteByte('-')
		}
	}
	name := strings.TrimRight(b.String()[:min(b.Len(), most)], "-")
	if name == "" {
		return "model"
	}
	return name
}

// refuseOrder ends an order that no run comes of.
func (s *Service) refuseOrder(ctx context.Context, o order, why error) error {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error { return s.tellTx(ctx, tx, o, ended(o.run, why, s.now())) })
	if err == nil {
		s.Post.Wake()
	}
	return err
}

// maxToldResult bounds the result in a message; of a longer one the report stays here.
const maxToldResult = 256 << 10

// tellOfRun tells how the run of an order stands, as whoever asked is told.
func (s *Service) tellOfRun(ctx context.Context, o order) error {
	r, err := s.runs.Run(ctx, o.run)
	if err != nil {
		return err
	}
	who, err := s.Identity.Lasting(ctx, o.asker)
	if err != nil { // they are told as somebody of whom nothing is known
		who = genesis.Principal{Subject: o.asker.Subject, Node: o.asker.Node, Credential: o.asker.Credential}
	}
	r = s.told(ctx, who, r)
	t := genesis.RunTold{Run: r.ID, State: r.State, Tries: r.Tries, Started: r.Started, Ended: r.Ended}
	switch r.State {
	case genesis.RunDone:
		t.Result = short(r.Result)
	case genesis.RunFailed, genesis.RunCanceled:
		t.Error = r.Error
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error { return s.tellTx(ctx, tx, o, t) })
	if err == nil {
		s.Post.Wake()
	}
	return err
}

// short is a result that fits into a message.
func short(result json.RawMessage) json.RawMessage {
	var made genesis.Trained
	if len(result) <= maxToldResult || json.Unmarshal(result, &made) != nil {
		return result
	}
	r := made.Report
	made.Report = genesis.ModelReport{Format: r.Format, Dataset: r.Dataset, Seed: r.Seed, Targets: []genesis.TargetReport{}, Curve: []genesis.CurvePoint{}, Least: r.Least,
		Notes: []string{"the whole report is where the model is"}}
	text, err := json.Marshal(made)
	if err != nil {
		return nil
	}
	return text
}
