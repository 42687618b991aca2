//go:build linux || darwin

package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/node/backup"
	"github.com/opengenesis/genesis/internal/store"
)

// reopen serves a home for a town that moved there. stop gives the home back.
func reopen(t *testing.T, dir string, token map[string]string) (w *town, stop func()) {
	t.Helper()
	n, err := Start(t.Context(), mustHome(t, dir), Options{Network: true, cost: cheap})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(n.handler)
	stop = sync.OnceFunc(func() {
		srv.Close()
		if err := n.close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	w = &town{T: t, url: srv.URL, works: n.service.(*works), local: access.Local("here"), token: token, asset: map[string]string{}}
	return w, stop
}

// settled is a home with people and one published version for each tier.
func settled(t *testing.T, dir string) (w *town, stop func(), names []string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.yaml"), "node: here\nserve:\n  rate:\n    per_second: 0\n")
	w, stop = reopen(t, dir, map[string]string{})
	for name, duties := range map[string][]genesis.Duty{"gil": nil, "sam": {genesis.DutySteward}} {
		w.settle(name, duties)
	}
	for _, tier := range []string{"public", "controlled", "restricted", "draft", "withdrawn"} {
		names = append(names, w.build(tier))
	}
	w.asset = map[string]string{} // the next ones are others
	return w, stop, names
}

func (w *town) backUp(to string) *genesis.Backup {
	w.Helper()
	b, err := w.works.Backup(w.Context(), w.local, genesis.BackupRequest{Path: to}, nil)
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// answers are what three people are told about some names: status and body.
func (w *town) answers(names []string) map[string]string {
	w.Helper()
	all := map[string]string{}
	ask := func(who, path string) {
		status, body := w.call(who, "GET", path, "")
		all[who+" "+path] = fmt.Sprintf("%d %s", status, steady(string(body)))
	}
	for _, who := range []string{"nobody", "gil", "sam"} {
		for _, path := range []string{"/v1/assets", "/v1/search?q=a", "/v1/grants", "/v1/whoami", "/v1/members"} {
			ask(who, path)
		}
		for _, name := range names {
			version := "/v1/versions/" + url.PathEscape(name)
			for _, path := range []string{version, version + "/conditions", version + "/export?format=csv", version + "/export?format=parquet"} {
				ask(who, path)
			}
		}
	}
	return all
}

// verified recomputes the audit log and returns its entries about new epochs.
func (w *town) verified() []genesis.AuditEntry {
	w.Helper()
	v, err := w.works.AuditVerify(w.Context(), w.local, time.Time{}, nil)
	if err != nil || v.Bad != -1 || v.Checked == 0 || v.Checked != v.Entries {
		w.Fatalf("audit verify: %+v, %v", v, err)
	}
	page, err := w.works.Audit(w.Context(), w.local, genesis.AuditQuery{Act: "epoch"})
	if err != nil {
		w.Fatal(err)
	}
	return page.Entries
}

// TestBackupWipeRestore: after a restore a node answers as it did at the moment of
// the backup, its log holds, and the log says that it was restored, once.
func TestBackupWipeRestore(t *testing.T) {
	for _, to := range []string{"folder", "archive" + backup.ArchiveSuffix} {
		t.Run(to, func(t *testing.T) {
			dir, to := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), to)
			w, stop, names := settled(t, dir)
			token := w.token
			want := w.answers(names)
			if !strings.HasPrefix(want["nobody /v1/versions/"+url.PathEscape(names[0])+"/export?format=csv"], "200 ") {
				t.Fatal("the public asset cannot be read: the comparison would be of refusals alone")
			}
			b := w.backUp(to)
			w.build("public") // after the moment
			stop()
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			r, err := Restore(t.Context(), to, dir, b.Digest, nil)
			if err != nil || r.Files != b.Files || !r.Keys || r.Node != "here" {
				t.Fatalf("%+v, %v", r, err)
			}
			w, stop = reopen(t, dir, token)
			if diff := cmp.Diff(want, w.answers(names)); diff != "" {
				t.Errorf("answers, -before +after:\n%s", diff)
			}
			w.declares(b)
			stop()
			w, _ = reopen(t, dir, token)
			if entries := w.verified(); len(entries) != 1 {
				t.Errorf("served again, the log declares %d restores", len(entries))
			}
		})
	}
}

// declares wants one new epoch that names the backup, and the evidence of the
// backup itself.
func (w *town) declares(b *genesis.Backup) {
	w.Helper()
	entries := w.verified()
	if len(entries) != 1 || !strings.Contains(string(entries[0].Detail), string(b.Digest)) {
		w.Errorf("the log declares %+v, want a restore from %s", entries, b.Digest)
	}
	if origin := w.works.Journal.Audit().Origin(); origin != "here/audit/2" {
		w.Errorf("the log is %s", origin)
	}
	page, err := w.works.Audit(w.Context(), w.local, genesis.AuditQuery{Act: "backup"})
	if err != nil || len(page.Entries) != 1 {
		w.Errorf("the log has %d entries about the backup, %v", len(page.Entries), err)
	}
}

// TestBackupWhileServed backs up again and again while people write and read.
// Each backup is whole by itself: all versions it lists verify, and so does its log.
func TestBackupWhileServed(t *testing.T) {
	w, _, names := settled(t, filepath.Join(t.TempDir(), "home"))
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for i := range 2 {
		busy.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				w.prepare(fmt.Sprintf("busy-%d-%d", i, n), fmt.Sprintf("a,b\n%d,%d\n", i, n))
				w.call("gil", "GET", "/v1/versions/"+url.PathEscape(names[1])+"/export?format=csv", "")
			}
		})
	}
	folder := filepath.Join(t.TempDir(), "folder")
	var homes []string
	for i := range 4 {
		b := w.backUp(folder)
		if i > 0 && b.NewFiles >= b.Files {
			t.Errorf("backup %d copies all %d files again", i, b.Files)
		}
		home := filepath.Join(t.TempDir(), "home")
		if _, err := Restore(ctx, folder, home, b.Digest, nil); err != nil {
			t.Fatal(err)
		}
		homes = append(homes, home)
	}
	cancel()
	busy.Wait()
	last := 0
	for _, home := range homes {
		n := whole(t, home, w.token)
		if n < last {
			t.Errorf("a later backup has %d versions, the one before it %d", n, last)
		}
		last = n
	}
}

// whole opens a restored home, verifies everything in it, and counts its assets.
func whole(t *testing.T, home string, token map[string]string) int {
	t.Helper()
	w, stop := reopen(t, home, token)
	defer stop()
	if entries := w.verified(); len(entries) != 1 {
		t.Errorf("%d epochs are declared", len(entries))
	}
	all, _, err := w.works.List(t.Context(), w.local, "", "", 1000)
	if err != nil || len(all) < 4 {
		t.Fatalf("%d assets, %v", len(all), err)
	}
	for _, a := range all {
		if v, err := w.works.Verify(t.Context(), w.local, string(a.Name), nil); err != nil || len(v.Damage) > 0 {
			t.Errorf("%s: %+v, %v", a.Name, v, err)
		}
	}
	return len(all)
}

// TestBackupRefusesDamage: a home that is damaged is not backed up as if it were
// whole; what is damaged is named.
func TestBackupRefusesDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	w, _, names := settled(t, dir)
	d, err := w.works.Describe(t.Context(), w.local, names[0])
	if err != nil {
		t.Fatal(err)
	}
	hex := d.Version.Digest.Hex()
	file := filepath.Join(dir, "blobs", hex[:2], hex)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(){
		"flipped bit": func() { b[len(b)/2] ^= 1; rewriteFile(t, file, b); b[len(b)/2] ^= 1 },
		"cut off":     func() { rewriteFile(t, file, b[:len(b)-1]) },
		"missing":     func() { os.Remove(file) },
	} {
		spoil()
		to := filepath.Join(t.TempDir(), "backup")
		_, err := w.works.Backup(t.Context(), w.local, genesis.BackupRequest{Path: to}, nil)
		if err == nil || !strings.Contains(err.Error(), hex) && !strings.Contains(err.Error(), names[0]) {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
		if _, err := CheckBackup(t.Context(), to, "", nil); err == nil {
			t.Errorf("%s: there is a backup that looks whole", name)
		}
		rewriteFile(t, file, b)
	}
	w.backUp(filepath.Join(t.TempDir(), "backup"))
}

func rewriteFile(t *testing.T, path string, b []byte) {
	t.Helper()
	_ = os.Remove(path)
	if err := os.WriteFile(path, b, 0o400); err != nil {
		t.Fatal(err)
	}
}

func TestBackupRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	w, _, _ := settled(t, dir)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	sam := genesis.Principal{Subject: "sam", Node: "here", Duties: genesis.Duties, Assurance: genesis.AssuranceMFA}
	for _, c := range []struct {
		who  genesis.Principal
		path string
		want genesis.ErrorKind
	}{
		{w.local, "relative", genesis.Invalid},
		{w.local, dir, genesis.Invalid},
		{w.local, filepath.Join(dir, "blobs", "x"), genesis.Invalid},
		{w.local, filepath.Join(link, "x"), genesis.Invalid},
		{w.local, filepath.Dir(dir), genesis.Invalid},
		{sam, filepath.Join(t.TempDir(), "x"), genesis.Permission},
		{genesis.Principal{}, filepath.Join(t.TempDir(), "x"), genesis.Permission},
	} {
		if _, err := w.works.Backup(t.Context(), c.who, genesis.BackupRequest{Path: c.path}, nil); genesis.KindOf(err) != c.want {
			t.Errorf("%s to %s: %v, want %s", c.who.Subject, c.path, err, c.want)
		}
	}
}

// TestBackupWithoutKeys: the journal is not continued under another key.
func TestBackupWithoutKeys(t *testing.T) {
	dir, to := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "backup")
	w, stop, _ := settled(t, dir)
	if _, err := w.works.Backup(t.Context(), w.local, genesis.BackupRequest{Path: to, NoKeys: true}, nil); err != nil {
		t.Fatal(err)
	}
	stop()
	home := filepath.Join(t.TempDir(), "home")
	if r, err := Restore(t.Context(), to, home, "", nil); err != nil || r.Keys {
		t.Fatalf("%+v, %v", r, err)
	}
	if n, err := Start(t.Context(), mustHome(t, home), Options{}); err == nil {
		_ = n.close()
		t.Fatal("the home opens without its keys")
	}
	if err := os.CopyFS(filepath.Join(home, "keys"), os.DirFS(filepath.Join(dir, "keys"))); err != nil {
		t.Fatal(err)
	}
	w, _ = reopen(t, home, w.token)
	w.verified()
}

// TestRestoreRefuses: nothing is written over, and nothing is left of a restore
// that failed.
func TestRestoreRefuses(t *testing.T) {
	w, stop, _ := settled(t, filepath.Join(t.TempDir(), "home"))
	to := filepath.Join(t.TempDir(), "backup")
	b := w.backUp(to)
	stop()
	place := t.TempDir()
	full := filepath.Join(place, "full")
	if err := os.MkdirAll(full, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(full, "mine"), "mine")
	other := genesis.DigestOf([]byte("another"))
	for _, c := range []struct {
		home string
		want genesis.Digest
		kind genesis.ErrorKind
	}{
		{full, b.Digest, genesis.Exists},
		{filepath.Join(full, "mine"), b.Digest, genesis.Exists},
		{filepath.Join(place, "new"), other, genesis.Invalid},
	} {
		if _, err := Restore(t.Context(), to, c.home, c.want, nil); genesis.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", c.home, err, c.kind)
		}
	}
	left, err := os.ReadDir(place)
	if err != nil || len(left) != 1 {
		t.Errorf("restores that failed left %v, %v", left, err)
	}
	empty := filepath.Join(place, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), to, empty, "", nil); err != nil {
		t.Errorf("into an empty folder: %v", err)
	}
}

// TestRestoreChecksEveryFile damages each file of a backup in turn.
func TestRestoreChecksEveryFile(t *testing.T) {
	w, stop, _ := settled(t, filepath.Join(t.TempDir(), "home"))
	to := filepath.Join(t.TempDir(), "backup")
	w.backUp(to)
	stop()
	place := t.TempDir()
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			return err
		}
		b[len(b)/2] ^= 4
		rewriteFile(t, path, b)
		home := filepath.Join(place, "home")
		var e2 *genesis.Error
		if _, err := Restore(t.Context(), to, home, "", nil); !errors.As(err, &e2) || e2.Subject == "" {
			t.Errorf("%s is damaged: %v", path, err)
		}
		if left, _ := os.ReadDir(place); len(left) > 0 {
			t.Errorf("%s is damaged, and %v is left", path, left)
		}
		b[len(b)/2] ^= 4
		rewriteFile(t, path, b)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestKilledRestore kills restores after different times: there is either a
// whole home or none, and the next restore clears what is left.
func TestKilledRestore(t *testing.T) {
	if home := os.Getenv("GENESIS_TEST_RESTORE"); home != "" {
		_, _ = Restore(t.Context(), os.Getenv("GENESIS_TEST_BACKUP"), home, "", nil)
		return
	}
	w, stop, _ := settled(t, filepath.Join(t.TempDir(), "home"))
	to := filepath.Join(t.TempDir(), "backup")
	b := w.backUp(to)
	stop()
	place := t.TempDir()
	killed := 0
	for i := range 8 {
		home := filepath.Join(place, fmt.Sprint("home", i))
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledRestore$")
		cmd.Env = append(os.Environ(), "GENESIS_TEST_RESTORE="+home, "GENESIS_TEST_BACKUP="+to)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20*i) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := os.Stat(home); err == nil {
			whole(t, home, w.token)
			continue
		}
		killed++
		if _, err := Restore(t.Context(), to, home, b.Digest, nil); err != nil {
			t.Error(err)
		}
		left, _ := filepath.Glob(filepath.Join(place, ".home"+fmt.Sprint(i)+".restore-*"))
		if len(left) > 0 {
			t.Errorf("after the next restore %v is left", left)
		}
	}
	if killed == 0 {
		t.Error("no restore was killed in time: the test shows nothing")
	}
}

// TestHalfRestoredIsNoHome: what a killed restore leaves cannot be served.
func TestHalfRestoredIsNoHome(t *testing.T) {
	s, err := newStage(filepath.Join(t.TempDir(), "home"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write("catalog.db", []byte("half")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHome(s.path); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a half restored home opens: %v", err)
	}
	s.close()
}

// TestRestoredMark: a mark that cannot be read stops the node, rather than
// that a restore goes undeclared.
func TestRestoredMark(t *testing.T) {
	h := mustHome(t, t.TempDir())
	if err := os.MkdirAll(h.Journal(), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(h.Journal(), restoredMark)
	called := 0
	declare := func(fail error) error {
		return h.DeclareRestored(t.Context(), func(context.Context, string) error { called++; return fail })
	}
	if err := declare(nil); err != nil || called != 0 {
		t.Errorf("without a mark: %v, %d calls", err, called)
	}
	write(t, path, "{")
	if err := declare(nil); err == nil || called != 0 {
		t.Errorf("a broken mark: %v, %d calls", err, called)
	}
	text, err := json.Marshal(RestoredMark{Format: 1, Backup: genesis.DigestOf(nil)})
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text))
	if err := declare(errors.New("disk is full")); err == nil {
		t.Error("an epoch that was not begun counts")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the mark is gone before it was declared: %v", err)
	}
	if err := declare(nil); err != nil || called != 2 {
		t.Errorf("%v, %d calls", err, called)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mark is still there: %v", err)
	}
}

// TestOldRunsGo: a node removes runs that are kept no longer by itself.
func TestOldRunsGo(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), "node: here\nruns: {keep: 24h, keep_last: 1}\n")
	w, stop := reopen(t, dir, map[string]string{})
	w.prepare("old", "a,b\n1,2\n")
	w.prepare("new", "a,b\n1,2\n")
	err := w.works.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE runs SET ended_at = $1", store.Time(time.Now().Add(-25*time.Hour)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	w, _ = reopen(t, dir, map[string]string{})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		page, err := w.works.Runs(t.Context(), w.local, true, "", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Runs) == 1 && page.Runs[0].Subject == "new" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are %+v", page.Runs)
		}
	}
	if v, _, err := w.works.List(t.Context(), w.local, "", "", 0); err != nil || len(v) != 2 {
		t.Errorf("what they made: %+v, %v", v, err)
	}
}
