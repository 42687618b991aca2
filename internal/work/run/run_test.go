//go:build linux || darwin

package run

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// order is what a test asks a worker to do.
type order struct {
	Do   string `json:"do"`
	Mark string `json:"mark,omitempty"` // a file to which every try appends its process id
}

// asWorker and asNode make this test binary a worker, or a node to be killed.
const (
	asWorker = "GENESIS_TEST_WORKER"
	asNode   = "GENESIS_TEST_NODE"
)

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		os.Exit(Serve(os.Stdin, os.Stdout, os.Stderr, obey))
	}
	if dir := os.Getenv(asNode); dir != "" {
		beNode(dir)
	}
	grace = 500 * time.Millisecond
	os.Exit(m.Run())
}

// obey is what tests' workers compute.
func obey(ctx context.Context, job Job, files []*os.File, p genesis.Progress) (any, error) {
	var o order
	if err := json.Unmarshal(job.Task, &o); err != nil {
		return nil, err
	}
	mark(o.Mark, fmt.Sprintf("%d\n", os.Getpid()))
	p.Send(genesis.Event{Stage: "obeying", Done: 1, Total: 2, Unit: "steps"})
	do, arg, _ := strings.Cut(o.Do, " ")
	switch do {
	case "answer":
		return arg, nil
	case "say":
		p.Send(genesis.Event{Log: arg})
		fmt.Fprintln(os.Stderr, "and on stderr")
		return arg, nil
	case "read":
		var all []string
		for _, f := range files {
			b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
			if err != nil {
				return nil, err
			}
			all = append(all, string(b))
		}
		return strings.Join(all, "+") + " " + strings.Join(job.Files, "+"), nil
	case "fail":
		return nil, &genesis.Error{Op: "obey", Kind: genesis.Invalid, Subject: "x", Msg: "is wrong", Value: "4711", Err: errors.New("the cause")}
	case "wait":
		<-ctx.Done()
		return nil, &genesis.Error{Op: "obey", Kind: genesis.Canceled, Msg: "stopped", Err: context.Cause(ctx)}
	case "ignore": // what it is asked to stop
		time.Sleep(time.Hour)
	case "sleep":
		d, _ := time.ParseDuration(arg)
		time.Sleep(d)
		return "slept", nil
	case "die":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour)
	case "die-once":
		if len(words(o.Mark)) == 1 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			time.Sleep(time.Hour)
		}
		return "alive", nil
	case "panic":
		panic("a defect")
	case "exit":
		os.Exit(7)
	case "hold": // memory, slowly
		var kept [][]byte
		for {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			kept = append(kept, b)
			time.Sleep(2 * time.Millisecond)
			_ = kept
		}
	case "grab": // memory, at once
		b := make([]byte, 3<<30)
		return len(b), nil
	case "nonsense":
		fmt.Println("hello")
		time.Sleep(time.Hour)
	case "environ":
		return os.Environ(), nil
	case "limits":
		var core, data syscall.Rlimit
		_ = syscall.Getrlimit(syscall.RLIMIT_CORE, &core)
		_ = syscall.Getrlimit(rlimitData, &data)
		return fmt.Sprintf("core %d data %d", core.Cur, data.Cur), nil
	}
	return nil, errors.New("what?")
}

// mark appends text to a file.
func mark(path, text string) {
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		panic(err)
	}
}

// lines2 returns the lines of a file.
func words(path string) []string {
	b, _ := os.ReadFile(path)
	return strings.Fields(string(b))
}

// bench is a manager with what it stands on.
type bench struct {
	*Manager
	dir string
	db  *store.DB

	mu      sync.Mutex
	commits []string // outcomes whose transaction was tried
}

var ada, bob = person("ada"), person("bob")

func person(name string) genesis.Principal { return genesis.Principal{Subject: name, Node: "nrel"} }

// config is that of a node in dir; change, if there is one, changes it.
func (b *bench) config(change func(*Config)) Config {
	c := Config{
		DB: b.db, Dir: filepath.Join(b.dir, "runs"), Compute: obey,
		Worker: []string{self(), "worker"}, Env: []string{asWorker + "=1"},
		Plan: func(_ context.Context, r genesis.Run, _ json.RawMessage) (any, error) {
			var o order
			return &o, json.Unmarshal(r.Request, &o)
		},
		Commit: func(_ context.Context, r genesis.Run, _, outcome json.RawMessage) (Act, error) {
			return Act{Tx: func(ctx context.Context, tx *sql.Tx) (any, error) {
				b.mu.Lock()
				b.commits = append(b.commits, string(outcome))
				b.mu.Unlock()
				_, err := tx.ExecContext(ctx, "INSERT INTO results (run) VALUES ($1)", r.ID)
				return outcome, err
			}}, nil
		},
		Limits: Limits{Concurrent: 2, Memory: 1 << 30},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func self() string {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return exe
}

// openNode opens a manager over the stores in dir.
func openNode(ctx context.Context, dir string, change func(*Config)) (*bench, error) {
	db, err := store.Open(ctx, filepath.Join(dir, "catalog.db"))
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, db: db}
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("CREATE TABLE IF NOT EXISTS results (run TEXT NOT NULL)")
		return err
	})
	if err == nil {
		b.Manager, err = Open(ctx, b.config(change))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

func openBench(t testing.TB, dir string, change func(*Config)) *bench {
	t.Helper()
	b, err := openNode(t.Context(), dir, change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Close()
		b.db.Close()
	})
	return b
}

func newBench(t testing.TB, change func(*Config)) *bench { return openBench(t, t.TempDir(), change) }

// results counts the committed results of a run.
func (b *bench) results(t *testing.T, id string) (n int) {
	t.Helper()
	if err := b.db.Read().QueryRow("SELECT count(*) FROM results WHERE run = $1", id).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *bench) submit(t testing.TB, by genesis.Principal, o order, in Inputs) genesis.Run {
	t.Helper()
	r, err := b.Submit(t.Context(), request("", o), by, in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request(id string, o order) genesis.RunRequest {
	text, _ := json.Marshal(o)
	return genesis.RunRequest{ID: id, Kind: genesis.RunTrain, Request: text}
}

// wait waits for the end of a run, and no longer than a minute.
func (b *bench) wait(t testing.TB, id string) genesis.Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := b.Wait(ctx, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// running waits until a run is in a try whose worker has begun.
func running(t testing.TB, mark string, tries int) (pid int) {
	t.Helper()
	for range 3000 {
		if l := words(mark); len(l) >= tries {
			fmt.Sscan(l[tries-1], &pid)
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the worker does not begin")
	return 0
}

// gone reports whether a process has ended; one that is ending gets some time.
func gone(pid int) bool {
	for range 500 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "Z")
}

func TestRunInAChild(t *testing.T) {
	b := newBench(t, nil)
	for name, in := range map[string]bool{"child": false, "this process": true} {
		t.Run(name, func(t *testing.T) {
			b := b
			if in {
				b = newBench(t, func(c *Config) { c.Worker = nil })
			}
			r := b.submit(t, ada, order{Do: "answer 42"}, Inputs{Subject: "net", Pinned: "p"})
			if r.State.Ended() || r.Tries > 1 || r.By.Subject != "ada" || r.Subject != "net" {
				t.Errorf("submitted: %+v", r)
			}
			r = b.wait(t, r.ID)
			if r.State != genesis.RunDone || string(r.Result) != `"42"` || r.Tries != 1 || r.Started.IsZero() || r.Ended.IsZero() || r.Error != nil {
				t.Errorf("ended: %+v", r)
			}
			kept, err := b.Run(t.Context(), r.ID)
			if err != nil || kept.State != r.State || string(kept.Result) != `"42"` || !kept.Ended.Equal(r.Ended) {
				t.Errorf("kept: %+v, %v", kept, err)
			}
			if b.results(t, r.ID) != 1 {
				t.Error("the result is not committed once")
			}
			if left, _ := os.ReadDir(b.works()); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestEnds: every way in which a run can fail is told apart, with what to do.
func TestEnds(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Memory, c.Limits.Time = 200<<20, 20*time.Second; c.Limits.Concurrent = 4 })
	for _, c := range []struct {
		do    string
		kind  genesis.ErrorKind
		says  string
		hint  string
		tries int
	}{
		{"fail", genesis.Invalid, "is wrong", "", 1},
		{"panic", genesis.Internal, "without a result: exit status 2", "genesis logs", 3},
		{"exit", genesis.Internal, "without a result: exit status 7", "genesis logs", 3},
		{"die", genesis.Internal, "killed, perhaps by the system", "genesis logs", 3},
		{"nonsense", genesis.Internal, "protocol: it writes a line that is not JSON", "genesis logs", 1},
		{"grab", genesis.Unavailable, "more than the 200 MiB of memory", "runs.memory", 1},
		{"hold", genesis.Unavailable, "more than the 200 MiB of memory", "runs.memory", 1},
	} {
		t.Run(c.do, func(t *testing.T) {
			if (raced || runtime.GOOS != "linux") && (c.do == "grab" || c.do == "hold") {
				return // nothing enforces memory there
			}
			r := b.wait(t, b.submit(t, ada, order{Do: c.do}, Inputs{Subject: "net"}).ID)
			if r.State != genesis.RunFailed || r.Error == nil || r.Error.Kind != c.kind || !strings.Contains(r.Error.Detail, c.says) ||
				!strings.Contains(r.Error.Hint, c.hint) || r.Tries != c.tries {
				t.Errorf("%s after %d tries: %+v", r.State, r.Tries, r.Error)
			}
			if b.results(t, r.ID) != 0 {
				t.Error("a failed run committed a result")
			}
		})
	}
}

func TestTimeLimit(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Time = time.Second })
	for _, do := range []string{"wait", "ignore"} {
		m := filepath.Join(t.TempDir(), "mark")
		r := b.wait(t, b.submit(t, ada, order{Do: do, Mark: m}, Inputs{Subject: "net"}).ID)
		if r.State != genesis.RunFailed || !strings.Contains(r.Error.Detail, "longer than the 1s") || !strings.Contains(r.Error.Hint, "runs.time") {
			t.Errorf("%s: %+v, %+v", do, r, r.Error)
		}
		if !gone(running(t, m, 1)) {
			t.Error("the worker lives on")
		}
	}
}

// TestErrorIsWhole: the worker's error arrives with all its fields, and its
// cause in the log.
func TestErrorIsWhole(t *testing.T) {
	b := newBench(t, nil)
	r := b.wait(t, b.submit(t, ada, order{Do: "fail"}, Inputs{}).ID)
	if got, want := *r.Error.Err(), (genesis.Error{Op: "obey", Kind: genesis.Invalid, Subject: "x", Msg: "is wrong", Value: "4711"}); got != want {
		t.Errorf("got %+v", got)
	}
	if log := b.log(t, r.ID); !strings.Contains(log, "cause: the cause") {
		t.Errorf("the log: %s", log)
	}
}

func (b *bench) log(t *testing.T, id string) string {
	t.Helper()
	r, size, err := b.OpenLog(id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil || int64(len(text)) != size {
		t.Fatalf("%d of %d bytes: %v", len(text), size, err)
	}
	return string(text)
}

func TestFiles(t *testing.T) {
	b := newBench(t, nil)
	open := func(text string) *os.File {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(path)
		t.Cleanup(func() { f.Close() })
		return f
	}
	path := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(path, []byte("three"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, attached := range []bool{true, false} {
		files := []File{{Name: "a", Open: open("one")}, {Name: "b", Open: open("two")}, {Name: "c", Path: path}}
		r := b.submit(t, ada, order{Do: "read"}, Inputs{Files: files, Attached: attached})
		if !attached {
			for _, f := range files[:2] {
				f.Open.Close() // the manager has copies
			}
		}
		if r = b.wait(t, r.ID); string(r.Result) != `"one+two+three a+b+c"` {
			t.Errorf("attached %v: %s, %+v", attached, r.Result, r.Error)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a file that is not the manager's: %v", err)
	}
	if left, _ := os.ReadDir(b.works()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	r := b.wait(t, b.submit(t, ada, order{Do: "read"}, Inputs{Files: []File{{Name: "d", Path: path + "-not"}}}).ID)
	if r.State != genesis.RunFailed || r.Error.Kind != genesis.NotFound || r.Error.Subject != "d" {
		t.Errorf("a file that is gone: %+v", r.Error)
	}
}

// TestKeptFiles: what waiting runs keep of uploads takes no further room, and what
// they keep counts for their person until they are ended, also after a restart.
func TestKeptFiles(t *testing.T) {
	uploads, dir := t.TempDir(), t.TempDir()
	limit := func(c *Config) {
		c.Limits.Concurrent, c.Limits.Queue, c.Uploads, c.Quota = 1, 20, uploads, 250
	}
	b := openBench(t, dir, limit)
	open := func(dir string) *os.File {
		path := filepath.Join(dir, "u")
		if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	up, other := open(uploads), open(t.TempDir())
	first := b.submit(t, bob, order{Do: "wait"}, Inputs{})
	linked := b.submit(t, ada, order{Do: "read"}, Inputs{Files: []File{{Name: "u", Open: up}}})
	copied := b.submit(t, ada, order{Do: "read"}, Inputs{Files: []File{{Name: "o", Open: other}}})
	same := func(id string, f *os.File) bool {
		kept, err := os.Stat(filepath.Join(b.workOf(id), "in", "0"))
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Stat()
		return os.SameFile(kept, info)
	}
	if !same(linked.ID, up) || same(copied.ID, other) {
		t.Error("uploads are linked, and other files, which may change, are copied")
	}
	full := func(b *bench, by genesis.Principal, in Inputs) genesis.ErrorKind {
		_, err := b.Submit(t.Context(), request("", order{Do: "read"}), by, in)
		return genesis.KindOf(err)
	}
	one := []File{{Name: "u", Open: up}}
	if n := b.Kept(ada.Person()); n != 200 || full(b, ada, Inputs{Files: one}) != genesis.Permission {
		t.Errorf("%d bytes are kept, and more are taken", n)
	}
	if b.Kept(ada.Person()) != 200 {
		t.Error("what is refused counts")
	}
	if k := full(b, bob, Inputs{Files: one}); k != "" {
		t.Errorf("somebody else: %v", k)
	}
	if k := full(b, ada, Inputs{Files: one, Owner: true}); k != "" {
		t.Errorf("the owner of the home: %v", k)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openBench(t, dir, limit)
	if n := b.Kept(ada.Person()); n < 200 {
		t.Errorf("after a restart %d bytes count", n)
	}
	if _, err := b.Cancel(t.Context(), first.ID, bob.Person()); err != nil {
		t.Fatal(err)
	}
	b.wait(t, linked.ID)
	b.wait(t, copied.ID)
	for range 500 {
		if b.Kept(ada.Person()) == 0 && b.Kept(bob.Person()) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d bytes count for runs that are ended", b.Kept(ada.Person()))
}

// TestManyFiles: a worker gets more files than a program may usually open.
func TestManyFiles(t *testing.T) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || l.Cur < 4000 {
		t.Logf("only %d files may be open here", l.Cur)
		return
	}
	b := newBench(t, nil)
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := b.wait(t, b.submit(t, ada, order{Do: "read"}, Inputs{Attached: true, Files: slices.Repeat([]File{{Name: "x", Path: path}}, 2000)}).ID)
	if r.State != genesis.RunDone || strings.Count(string(r.Result), "x") != 4000 {
		t.Errorf("%s, %+v", r.State, r.Error)
	}
}

// TestEnvironment: a worker sees none of the node's secrets, and its limits.
func TestEnvironment(t *testing.T) {
	t.Setenv("GENESIS_SECRET", "hunter2")
	b := newBench(t, nil)
	r := b.wait(t, b.submit(t, ada, order{Do: "environ"}, Inputs{}).ID)
	var env []string
	if err := json.Unmarshal(r.Result, &env); err != nil || len(env) == 0 {
		t.Fatalf("%s, %+v", r.Result, r.Error)
	}
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if !slices.Contains([]string{"TMPDIR", "GODEBUG", "GOCOVERDIR", "TZ", asWorker}, name) {
			t.Errorf("a worker sees %s", v)
		}
	}
	if runtime.GOOS == "linux" {
		r = b.wait(t, b.submit(t, ada, order{Do: "limits"}, Inputs{}).ID)
		if want := fmt.Sprintf(`"core 0 data %d"`, 1<<30+1<<28+slack); string(r.Result) != want {
			t.Errorf("limits are %s, want %s", r.Result, want)
		}
	}
}

func TestKilledChildIsTriedAgain(t *testing.T) {
	b := newBench(t, nil)
	m := filepath.Join(t.TempDir(), "mark")
	r := b.wait(t, b.submit(t, ada, order{Do: "die-once", Mark: m}, Inputs{Attached: true}).ID)
	if r.State != genesis.RunDone || r.Tries != 2 || b.results(t, r.ID) != 1 {
		t.Errorf("%+v, %+v", r, r.Error)
	}
}

func TestCancel(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Concurrent = 1 })
	for _, do := range []string{"wait", "ignore"} {
		m := filepath.Join(t.TempDir(), "mark")
		r := b.submit(t, ada, order{Do: do, Mark: m}, Inputs{})
		queued := b.submit(t, ada, order{Do: "answer"}, Inputs{})
		pid := running(t, m, 1)
		if got, err := b.Run(t.Context(), queued.ID); err != nil || got.Position != 1 || got.State != genesis.RunQueued {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := b.Cancel(t.Context(), queued.ID, ada.Person()); err != nil || got.State != genesis.RunCanceled {
			t.Errorf("a queued run: %+v, %v", got, err)
		}
		begun := time.Now()
		got, err := b.Cancel(t.Context(), r.ID, ada.Person())
		if err != nil || got.State != genesis.RunCanceled || got.Error.Kind != genesis.Canceled {
			t.Errorf("%s: %+v, %v", do, got, err)
		}
		if took := time.Since(begun); do == "ignore" && took < grace || took > grace+20*time.Second {
			t.Errorf("%s: it took %s", do, took)
		}
		if !gone(pid) {
			t.Error("the worker lives on")
		}
		for _, r := range []genesis.Run{r, queued} {
			if log := b.log(t, r.ID); !strings.HasSuffix(log, "Z canceled by nrel/ada\n") || strings.Contains(log, "cause:") {
				t.Errorf("%s: the log ends %s", do, log)
			}
		}
		if !strings.Contains(got.Error.Message, "canceled by nrel/ada") {
			t.Errorf("%s: %+v", do, got.Error)
		}
		if got, err := b.Cancel(t.Context(), r.ID, ada.Person()); err != nil || got.State != genesis.RunCanceled {
			t.Errorf("canceled again: %+v, %v", got, err)
		}
	}
	done := b.wait(t, b.submit(t, ada, order{Do: "answer"}, Inputs{}).ID)
	if _, err := b.Cancel(t.Context(), done.ID, ada.Person()); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("a run that is done: %v", err)
	}
	if _, err := b.Cancel(t.Context(), NewID(), ada.Person()); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a run that is none: %v", err)
	}
}

// TestRevoked: withdrawn access ends a run at once, also one that ignores it.
func TestRevoked(t *testing.T) {
	reason := &genesis.Error{Op: "train", Kind: genesis.Permission, Subject: "turbines", Msg: "the grant was revoked"}
	for _, cause := range []error{reason, nil} {
		var revoke context.CancelCauseFunc
		b := newBench(t, func(c *Config) {
			c.Watch = func(ctx context.Context, r genesis.Run, _ json.RawMessage) (context.Context, func()) {
				if r.By.Person() != ada.Person() {
					t.Errorf("watches %+v", r.By)
				}
				ctx, revoke = context.WithCancelCause(ctx)
				return ctx, func() { revoke(nil) }
			}
		})
		m := filepath.Join(t.TempDir(), "mark")
		r := b.submit(t, ada, order{Do: "ignore", Mark: m}, Inputs{})
		pid := running(t, m, 1)
		begun := time.Now()
		revoke(cause)
		r = b.wait(t, r.ID)
		took := time.Since(begun)
		if r.State != genesis.RunFailed || r.Error.Kind != genesis.Permission || !strings.Contains(r.Error.Detail, "revoked") && !strings.Contains(r.Error.Detail, "withdrawn") {
			t.Errorf("%+v, %+v", r, r.Error)
		}
		if !gone(pid) || took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	}
}

// TestRevokedInTheQueue: whoever waits is watched, too, and those behind move up.
func TestRevokedInTheQueue(t *testing.T) {
	var mu sync.Mutex
	revoke := map[string]context.CancelCauseFunc{}
	b := newBench(t, func(c *Config) {
		c.Limits.Concurrent, c.Worker = 1, nil
		c.Watch = func(ctx context.Context, r genesis.Run, _ json.RawMessage) (context.Context, func()) {
			ctx, end := context.WithCancelCause(ctx)
			mu.Lock()
			defer mu.Unlock()
			revoke[r.ID] = end
			return ctx, func() { end(nil) }
		}
	})
	m := filepath.Join(t.TempDir(), "mark")
	first := b.submit(t, ada, order{Do: "wait", Mark: m}, Inputs{})
	running(t, m, 1)
	second := b.submit(t, ada, order{Do: "answer"}, Inputs{})
	third := b.submit(t, ada, order{Do: "answer"}, Inputs{})
	mu.Lock()
	end := revoke[second.ID]
	mu.Unlock()
	end(&genesis.Error{Op: "train", Kind: genesis.Permission, Subject: "turbines", Msg: "the grant was revoked"})
	if r := b.wait(t, second.ID); r.State != genesis.RunFailed || r.Tries != 0 || !strings.Contains(r.Error.Detail, "revoked") {
		t.Errorf("%+v, %+v", r, r.Error)
	}
	if r, err := b.Run(t.Context(), third.ID); err != nil || r.Position != 1 {
		t.Errorf("behind it waits %+v, %v", r, err)
	}
	if r, err := b.Run(t.Context(), first.ID); err != nil || r.State != genesis.RunRunning {
		t.Errorf("before it runs %+v, %v", r, err)
	}
	if _, err := b.Cancel(t.Context(), first.ID, ada.Person()); err != nil {
		t.Fatal(err)
	}
	if r := b.wait(t, third.ID); r.State != genesis.RunDone {
		t.Errorf("%+v, %+v", r, r.Error)
	}
}

func TestIdempotentSubmit(t *testing.T) {
	b := newBench(t, nil)
	id := NewID()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if r, err := b.Submit(t.Context(), request(id, order{Do: "answer 1"}), ada, Inputs{}); err != nil || r.ID != id {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	all.Wait()
	b.wait(t, id)
	if r, err := b.Submit(t.Context(), request(id, order{Do: "answer 1"}), ada, Inputs{}); err != nil || r.State != genesis.RunDone || string(r.Result) != `"1"` {
		t.Errorf("asked again: %+v, %v", r, err)
	}
	if n := b.results(t, id); n != 1 {
		t.Errorf("%d results", n)
	}
	for name, again := range map[string]func() (genesis.Run, error){
		"another request": func() (genesis.Run, error) {
			return b.Submit(t.Context(), request(id, order{Do: "answer 2"}), ada, Inputs{})
		},
		"another person": func() (genesis.Run, error) {
			return b.Submit(t.Context(), request(id, order{Do: "answer 1"}), bob, Inputs{})
		},
	} {
		if r, err := again(); genesis.KindOf(err) != genesis.Conflict || r.ID != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, id := range []string{"short", "../../../../etc/passwd", strings.Repeat("a", 65), "-starts-with-a-dash", "UPPERCASE-UPPERCASE"} {
		if _, err := b.Submit(t.Context(), request(id, order{}), ada, Inputs{}); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestQueueIsBounded: what is too much is refused at once, and one person cannot
// take all places.
func TestQueueIsBounded(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Concurrent, c.Limits.Queue = 1, 4 })
	var mine, theirs int
	for range 10 {
		_, err := b.Submit(t.Context(), request("", order{Do: "wait"}), ada, Inputs{})
		switch {
		case err == nil:
			mine++
		case genesis.KindOf(err) != genesis.Unavailable || !strings.Contains(err.Error(), "of yours"):
			t.Fatal(err)
		}
	}
	for range 10 {
		_, err := b.Submit(t.Context(), request("", order{Do: "wait"}), bob, Inputs{})
		switch {
		case err == nil:
			theirs++
		case genesis.KindOf(err) != genesis.Unavailable:
			t.Fatal(err)
		}
	}
	if mine != 3 || theirs != 2 {
		t.Errorf("ada has %d, bob %d; want 3 and 2", mine, theirs)
	}
	page, err := b.List(t.Context(), Query{State: genesis.RunQueued})
	if err != nil || len(page.Runs) != 4 {
		t.Errorf("%d wait, %v", len(page.Runs), err)
	}
}

// TestQueueIsSharedAmongNodes: people that another node makes up leave room for others.
func TestQueueIsSharedAmongNodes(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Node, c.Limits.Concurrent, c.Limits.Queue = ada.Node, 1, 4 })
	n := 0
	for i := range 10 {
		eve := genesis.Principal{Subject: fmt.Sprint("eve", i), Node: "elsewhere"}
		_, err := b.Submit(t.Context(), request("", order{Do: "wait"}), eve, Inputs{})
		switch {
		case err == nil:
			n++
		case genesis.KindOf(err) != genesis.Unavailable || !strings.Contains(err.Error(), "of people of elsewhere"):
			t.Fatal(err)
		}
	}
	if _, err := b.Submit(t.Context(), request("", order{Do: "wait"}), ada, Inputs{}); n != 3 || err != nil {
		t.Errorf("people of another node have %d runs, want 3; and then: %v", n, err)
	}
}

// TestTurnsOfAnotherNode: people that another node makes up have half of the places and one
// turn together, which they take one after the other.
func TestTurnsOfAnotherNode(t *testing.T) {
	var q queue
	push := func(share, person genesis.PersonID) *active {
		a := &active{share: share, person: person}
		q.push(a)
		return a
	}
	var want []*active
	e1, e2, f1 := push("eve/", "eve/1"), push("eve/", "eve/1"), push("eve/", "eve/2")
	e3, g1 := push("eve/", "eve/1"), push("eve/", "eve/3")
	ada1, bob1, ada2 := push("ada", "ada"), push("bob", "bob"), push("ada", "ada")
	want = []*active{e1, ada1, bob1, f1, ada2, g1, e2, e3}
	for i, a := range want {
		if got := q.position(a); got != i+1 {
			t.Errorf("%s, %d of those that wait, is told to be at place %d", a.person, i+1, got)
		}
	}
	for i, a := range want {
		if got := q.pop(func(genesis.PersonID) bool { return false }); got != a {
			t.Fatalf("%d: %s and not %s", i, got.person, a.person)
		}
	}
	b := newBench(t, func(c *Config) { c.Node, c.Limits.Concurrent, c.Limits.Queue = ada.Node, 4, 20 })
	for i := range 8 {
		b.submit(t, genesis.Principal{Subject: fmt.Sprint("eve", i), Node: "elsewhere"}, order{Do: "wait"}, Inputs{})
	}
	b.wait(t, b.submit(t, ada, order{Do: "answer 1"}, Inputs{}).ID)
	page, err := b.List(t.Context(), Query{State: genesis.RunRunning})
	if err != nil || len(page.Runs) > 2 {
		t.Errorf("%d run, %v", len(page.Runs), err)
	}
}

// TestKeptOfAnotherNode: what is kept for people that another node makes up is one person's
// together.
func TestKeptOfAnotherNode(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Node, c.Quota = ada.Node, 150 })
	f, err := os.Create(filepath.Join(t.TempDir(), "u"))
	if err == nil {
		err = f.Truncate(100)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		who  genesis.Principal
		want genesis.ErrorKind
	}{{genesis.Principal{Subject: "one", Node: "mit"}, ""}, {genesis.Principal{Subject: "two", Node: "mit"}, genesis.Permission}, {genesis.Principal{Subject: "one", Node: "ornl"}, ""}, {ada, ""}} {
		if _, err := b.Submit(t.Context(), request("", order{Do: "wait"}), c.who, Inputs{Files: []File{{Name: "u", Open: f}}}); genesis.KindOf(err) != c.want {
			t.Errorf("%s: %v", c.who.Person(), err)
		}
	}
	if n := b.Kept("mit/anybody"); n != 100 {
		t.Errorf("%d bytes are kept for people of mit", n)
	}
}

// TestDefaultPlaces: a run that takes long does not keep everybody else's from running.
func TestDefaultPlaces(t *testing.T) {
	if l := (Limits{}).withDefaults(); l.Concurrent < 2 {
		t.Errorf("%d runs at once", l.Concurrent)
	}
}

// TestFairness: who asks for one run is served after one of who asks for many.
func TestFairness(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Concurrent = 1; c.Worker = nil })
	m := filepath.Join(t.TempDir(), "mark")
	first := b.submit(t, ada, order{Do: "wait", Mark: m}, Inputs{})
	running(t, m, 1)
	var runs []genesis.Run
	for range 5 {
		runs = append(runs, b.submit(t, ada, order{Do: "answer"}, Inputs{}))
	}
	bobs := b.submit(t, bob, order{Do: "answer"}, Inputs{})
	runs = append(runs, bobs)
	if bobs.Position != 2 {
		t.Errorf("bob's place is %d, want 2", bobs.Position)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, _ = b.Wait(ctx, bobs.ID, func(e genesis.Event) {
		if e.Stage != "waiting" || e.Note != "place 2 in the queue" {
			t.Errorf("who waits is told %+v", e)
		}
		cancel()
	})
	cancel()
	if _, err := b.Cancel(t.Context(), first.ID, ada.Person()); err != nil {
		t.Fatal(err)
	}
	for i := range runs {
		runs[i] = b.wait(t, runs[i].ID)
	}
	slices.SortFunc(runs, func(a, b genesis.Run) int { return a.Started.Compare(b.Started) })
	if runs[1].ID != bobs.ID {
		t.Errorf("bob was not served second")
	}
}

func TestListPages(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Worker = nil })
	var want []string
	for i := range 7 {
		by := ada
		if i%3 == 0 {
			by = bob
		}
		r := b.wait(t, b.submit(t, by, order{Do: "answer"}, Inputs{}).ID)
		if by.Subject == "ada" {
			want = append([]string{r.ID}, want...)
		}
	}
	var got []string
	q := Query{Person: ada.Person(), Limit: 2}
	for {
		page, err := b.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Runs {
			got = append(got, r.ID)
		}
		b.wait(t, b.submit(t, ada, order{Do: "answer"}, Inputs{}).ID) // a write meanwhile
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	for _, after := range []string{"x", "-1", "01", "0", "1e3", "99999999999999999999"} {
		if _, err := b.List(t.Context(), Query{After: after}); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("cursor %q: %v", after, err)
		}
	}
}

func TestFollow(t *testing.T) {
	b := newBench(t, nil)
	m := filepath.Join(t.TempDir(), "mark")
	r := b.submit(t, ada, order{Do: "say something", Mark: m}, Inputs{})
	var mu sync.Mutex
	var live []string
	if got, err := b.Follow(t.Context(), r.ID, 0, func(e genesis.Event) {
		mu.Lock()
		defer mu.Unlock()
		live = append(live, e.Log)
	}); err != nil || got.State != genesis.RunDone {
		t.Fatalf("%+v, %v", got, err)
	}
	var later []string
	if _, err := b.Follow(t.Context(), r.ID, 0, func(e genesis.Event) { later = append(later, e.Log) }); err != nil {
		t.Fatal(err)
	}
	progress := func(line string) bool { return line == "" } // no line of the log
	live, later = slices.DeleteFunc(live, progress), slices.DeleteFunc(later, progress)
	text := b.log(t, r.ID)
	if strings.Join(later, "\n")+"\n" != text {
		t.Errorf("followed\n%s\nthe log\n%s", strings.Join(later, "\n"), text)
	}
	if !slices.Equal(live, later) {
		t.Errorf("live\n%s\nlater\n%s", strings.Join(live, "\n"), strings.Join(later, "\n"))
	}
	for _, want := range []string{"submitted by nrel/ada", "try 1 starts", "something", "and on stderr", "done"} {
		if !strings.Contains(text, " "+want+"\n") {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	var rest []string
	if _, err := b.Follow(t.Context(), r.ID, int64(len(later[0])+1), func(e genesis.Event) { rest = append(rest, e.Log) }); err != nil || !slices.Equal(slices.DeleteFunc(rest, progress), later[1:]) {
		t.Errorf("from the second line: %v, %v", rest, err)
	}
	if _, err := b.Follow(t.Context(), "../"+r.ID, 0, nil); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a path: %v", err)
	}
}

// TestFollowerGoes: the run goes on without who followed it.
func TestFollowerGoes(t *testing.T) {
	b := newBench(t, nil)
	m := filepath.Join(t.TempDir(), "mark")
	r := b.submit(t, ada, order{Do: "sleep 300ms", Mark: m}, Inputs{})
	running(t, m, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Follow(ctx, r.ID, 0, nil); genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("%v", err)
	}
	if r = b.wait(t, r.ID); r.State != genesis.RunDone {
		t.Errorf("%+v", r)
	}
}

// TestTwoFinishers: two tries of a run that both have an outcome commit one.
func TestTwoFinishers(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Worker = nil })
	m := filepath.Join(t.TempDir(), "mark")
	r := b.submit(t, ada, order{Do: "wait", Mark: m}, Inputs{})
	running(t, m, 1)
	a := b.find(r.ID)
	errs := make(chan error, 2)
	for i := range 2 {
		twin := &active{row: a.row, log: a.log, run: a.Run(), ended: make(chan struct{}), cancel: func(error) {}}
		go func() { errs <- b.commit(t.Context(), twin, json.RawMessage(fmt.Sprint(i))) }()
	}
	one, two := <-errs, <-errs
	if (one == nil) == (two == nil) || !errors.Is(errors.Join(one, two), errGone) {
		t.Errorf("%v and %v", one, two)
	}
	if n := b.results(t, r.ID); n != 1 {
		t.Errorf("%d results", n)
	}
	kept, err := b.Run(t.Context(), r.ID)
	if err != nil || kept.State != genesis.RunDone {
		t.Errorf("%+v, %v", kept, err)
	}
	a.cancel(errGone) // what is left of the first try gives way to what the database says
	<-a.ended
	if got := a.Run(); got.State != genesis.RunDone || string(got.Result) != string(kept.Result) {
		t.Errorf("%+v", got)
	}
}

func TestCommitRefuses(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Commit = func(context.Context, genesis.Run, json.RawMessage, json.RawMessage) (Act, error) {
			return Act{}, &genesis.Error{Op: "commit", Kind: genesis.Conflict, Msg: "is a model"}
		}
	})
	r := b.wait(t, b.submit(t, ada, order{Do: "answer"}, Inputs{}).ID)
	if r.State != genesis.RunFailed || r.Error.Kind != genesis.Conflict || r.Tries != 1 {
		t.Errorf("%+v, %+v", r, r.Error)
	}
}
