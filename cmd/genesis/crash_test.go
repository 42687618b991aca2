//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

// rounds is how often TestKilledServing kills the node: 3, or $GENESIS_CRASH_ROUNDS.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("GENESIS_CRASH_ROUNDS")); err == nil {
		return n
	}
	return 3
}

// crasher is a home whose node is killed again and again, and what it acknowledged.
type crasher struct {
	*testing.T
	home, addr, token string

	mu        sync.Mutex
	made      map[string]genesis.Digest // versions acknowledged, by name
	published []string                  // acknowledged
	granted   []string                  // ids acknowledged
	served    []string                  // names of which a byte came
	trained   int                       // models among made
	audited   int                       // searches of the log that were answered
	slowest   time.Duration             // from start to ready
}

// start starts the node and waits until it is ready.
func (c *crasher) start() *exec.Cmd {
	c.Helper()
	began := time.Now()
	cmd := exec.Command("genesis", "serve")
	cmd.Env = append(os.Environ(), "GENESIS_HOME="+c.home)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	for {
		resp, err := http.Get("http://" + c.addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				break
			}
		}
		if time.Since(began) > 60*time.Second {
			c.Fatalf("the node is not ready after a minute: %v, it said %s", err, said.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.slowest = max(c.slowest, time.Since(began))
	return cmd
}

func (c *crasher) client() *client.Client {
	return client.New("http://"+c.addr, nil).WithToken(c.token)
}

// note keeps what the node acknowledged.
func (c *crasher) note(err error, keep func()) {
	if err != nil {
		return // not acknowledged: it may be there or not
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	keep()
}

// learn trains on rows enough for it and looks into the log, until ctx ends.
func (c *crasher) learn(ctx context.Context, round int) {
	cl := c.client()
	defer cl.Close()
	rows := "a,b\n"
	for i := range 200 {
		rows += fmt.Sprintf("%d,%d\n", i, 3*i+i%7)
	}
	name := fmt.Sprint("rows-", round)
	up, err := cl.Upload(ctx, strings.NewReader(rows), int64(len(rows)), "rows.csv", nil)
	if err != nil {
		return
	}
	made, err := cl.Prepare(ctx, genesis.PrepareRequest{Name: genesis.Name(name), Files: []genesis.FileRef{up.Ref()}, Options: genesis.PrepareOptions{NoProof: true}}, nil)
	c.note(err, func() { c.made[name] = made.Version.Digest })
	for n := 0; err == nil && ctx.Err() == nil; n++ {
		net := fmt.Sprintf("net-%d-%d", round, n)
		t, failed := cl.Train(ctx, genesis.TrainRequest{Dataset: name, Name: genesis.Name(net), Target: []string{"b"}, Epochs: 2, Members: 1, Seed: uint64(n + 1)}, nil)
		c.note(failed, func() { c.made[net], c.trained = t.Version.Digest, c.trained+1 })
		_, failed = cl.Audit(ctx, genesis.AuditQuery{Act: "train", Limit: 10})
		c.note(failed, func() { c.audited++ })
		_, _ = cl.AuditVerify(ctx, time.Time{}, nil)
	}
}

// work uploads, prepares, publishes, grants and reads until ctx ends.
func (c *crasher) work(ctx context.Context, worker, round int) {
	cl := c.client()
	defer cl.Close()
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("d-%d-%d-%d", round, worker, n)
		csv := fmt.Appendf(nil, "a,b\n%d,%d\n%d,%d\n", n, worker, round, n)
		up, err := cl.Upload(ctx, bytes.NewReader(csv), int64(len(csv)), name+".csv", nil)
		if err != nil {
			return
		}
		made, err := cl.Prepare(ctx, genesis.PrepareRequest{Name: genesis.Name(name), Files: []genesis.FileRef{{Path: name + ".csv", Token: "upload:" + up.ID}},
			Options: genesis.PrepareOptions{NoProof: true}}, nil)
		c.note(err, func() { c.made[name] = made.Version.Digest })
		if err != nil {
			return
		}
		_, err = cl.Publish(ctx, name, genesis.PublishRequest{Tier: genesis.TierControlled})
		c.note(err, func() { c.published = append(c.published, name) })
		g, err := cl.Grant(ctx, genesis.GrantRequest{Ref: name, To: "person:mit/zoe", Actions: []genesis.Action{genesis.Read}})
		c.note(err, func() { c.granted = append(c.granted, g.ID) })
		first := firstByte{c: c, name: name}
		_ = cl.Export(ctx, name, client.ExportOptions{Format: "csv"}, &first, nil)
	}
}

// firstByte notes a download of which a byte came.
type firstByte struct {
	c    *crasher
	name string
	some bool
}

func (f *firstByte) Write(b []byte) (int, error) {
	if len(b) > 0 && !f.some {
		f.some = true
		f.c.mu.Lock()
		f.c.served = append(f.c.served, f.name)
		f.c.mu.Unlock()
	}
	return len(b), nil
}

// check holds the node to what it acknowledged, and its log to what it served.
func (c *crasher) check() {
	c.Helper()
	cl := c.client()
	defer cl.Close()
	for name, digest := range c.made {
		d, err := cl.Describe(c.Context(), name)
		if err != nil || d.Version.Digest != digest {
			c.Errorf("%s was acknowledged and is %v", name, err)
			continue
		}
		if slices.Contains(c.published, name) && d.Version.State != genesis.Published {
			c.Errorf("the publication of %s was acknowledged, and it is %s", name, d.Version.State)
		}
	}
	grants := map[string]bool{}
	pages(c, func(after string) (string, error) {
		page, err := cl.Grants(c.Context(), genesis.GrantQuery{After: after, Limit: 1000})
		if err != nil {
			return "", err
		}
		for _, g := range page.Grants {
			grants[g.ID] = true
		}
		return page.Next, nil
	})
	for _, id := range c.granted {
		if !grants[id] {
			c.Errorf("grant %s was acknowledged and is not there", id)
		}
	}
	v, err := cl.AuditVerify(c.Context(), time.Time{}, nil)
	if err != nil || v.Bad >= 0 {
		c.Errorf("the audit log is %+v, %v", v, err)
	}
	read := map[string]bool{}
	pages(c, func(after string) (string, error) {
		page, err := cl.Audit(c.Context(), genesis.AuditQuery{Act: "read", Outcome: genesis.Allowed, After: after, Limit: 1000})
		if err != nil {
			return "", err
		}
		for _, e := range page.Entries {
			read[e.Subject] = true
		}
		return page.Next, nil
	})
	for _, name := range c.served {
		if !read[name] {
			c.Errorf("a byte of %s was served, and the log does not say so", name)
		}
	}
}

// pages calls list with cursor after cursor, to the last page.
func pages(c *crasher, list func(after string) (next string, err error)) {
	c.Helper()
	for after := ""; ; {
		next, err := list(after)
		if err != nil {
			c.Fatal(err)
		}
		if after = next; after == "" {
			return
		}
	}
}

// little reports whether hardly anything was acknowledged in n rounds.
func (c *crasher) little(n int) bool {
	return n >= 3 && (len(c.made) < n || len(c.served) == 0 || len(c.granted) == 0 || c.trained == 0 || c.audited == 0)
}

// TestKilledServing kills a node at random moments while it does everything at
// once, more often and later on a machine that is too busy for much to be acknowledged
// in between. After each restart what it acknowledged is there and its log holds.
func TestKilledServing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &crasher{T: t, home: filepath.Join(t.TempDir(), "home"), addr: l.Addr().String(), made: map[string]genesis.Digest{}}
	l.Close()
	if err := os.Mkdir(c.home, 0o700); err != nil {
		t.Fatal(err)
	}
	config := "serve:\n  listen: " + c.addr + "\n  rate:\n    per_second: 0\n"
	if err := os.WriteFile(filepath.Join(c.home, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c.token = c.account()
	began, n := time.Now(), rounds()
	round := 0
	for ; round < n || round < 5*n && c.little(n); round++ {
		cmd := c.start()
		c.check()
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for worker := range 3 {
			all.Go(func() { c.work(ctx, worker, round) })
		}
		all.Go(func() { c.learn(ctx, round) })
		time.Sleep(time.Duration((100+rand.IntN(1500))*(1+round/n)) * time.Millisecond)
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		stop()
		all.Wait()
	}
	cmd := c.start()
	c.check()
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	t.Logf("killed %d times in %v: %d versions, %d publications, %d grants, %d downloads, %d trainings, %d searches of the log; slowest start %v",
		round, time.Since(began).Round(time.Second), len(c.made), len(c.published), len(c.granted), len(c.served), c.trained, c.audited, c.slowest.Round(time.Millisecond))
	if c.little(n) {
		t.Errorf("so little was acknowledged between the kills that nothing was tested")
	}
	if c.slowest > 50*time.Second {
		t.Errorf("a start took %v", c.slowest)
	}
}

// account makes somebody who may do everything, and returns their token.
func (c *crasher) account() string {
	c.Helper()
	run := func(stdin string, args ...string) []byte {
		cmd := exec.Command("genesis", args...)
		cmd.Env = append(os.Environ(), "GENESIS_HOME="+c.home)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			c.Fatalf("%v: %v", args, err)
		}
		return out
	}
	run("", "account", "add", "robot", "--service", "--duties", "steward,officer,operator")
	out := run("", "token", "create", "crash", "--subject", "robot", "--json")
	var made genesis.NewToken
	if err := json.NewDecoder(bufio.NewReader(bytes.NewReader(out))).Decode(&made); err != nil && err != io.EOF {
		c.Fatal(err)
	}
	return made.Secret
}
