package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/opengenesis/genesis/test/bench/listings"
)

// postgresEngine is a PostgreSQL of its own with full text search.
type postgresEngine struct {
	*pgx.Conn
	server  *exec.Cmd
	dir     string
	classes []string
	also    []string
}

// openPostgres starts a server in a folder of its own, with a socket and no port.
func openPostgres(c config, corpus *listings.Corpus) (engine, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "genesis-bench-pg-*") // a short path: that of its socket is limited
	if err != nil {
		return nil, err
	}
	who, err := servant(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	init := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "bench", "-E", "UTF8", "--no-locale", "--no-sync")
	init.SysProcAttr = who
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %v: %s", err, out)
	}
	e := &postgresEngine{dir: dir}
	e.server = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=2GB",
		"-c", "work_mem=64MB", "-c", "maintenance_work_mem=512MB", "-c", "max_wal_size=4GB", "-c", "jit=off")
	e.server.SysProcAttr = who
	if err := e.server.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if e.Conn, err = pgx.Connect(context.Background(), "host="+dir+" user=bench dbname=postgres"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		e.close()
		return nil, err
	}
	a := searched(corpus)
	for _, class := range a.Classes {
		e.classes = append(e.classes, string(class))
	}
	for _, id := range a.Also {
		e.also = append(e.also, string(id.Node)+"/"+string(id.Name))
	}
	return e, nil
}

func postgresPrograms() (string, error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(all) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return "", fmt.Errorf("PostgreSQL is not installed")
		}
		all = []string{path}
	}
	return filepath.Dir(slices.Max(all)), nil
}

// servant returns as whom the server runs: PostgreSQL refuses to run as root.
func servant(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}

const postgresTable = `CREATE TABLE listings (id text PRIMARY KEY, institution text, field text, tier text, kind text,
	formats text[], units text[], classes text[], words text, text tsvector GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED)`

// memory is what the server and its children hold, each page that they share once.
func (e *postgresEngine) memory() int {
	kb := 0
	all, _ := filepath.Glob("/proc/[0-9]*/smaps_rollup")
	for _, of := range all {
		dir := filepath.Dir(of)
		id := filepath.Base(dir)
		stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
		_, after, _ := strings.Cut(string(stat), ") ")
		parent := strings.Fields(after)
		server := strconv.Itoa(e.server.Process.Pid)
		if id != server && (len(parent) < 2 || parent[1] != server) {
			continue
		}
		b, _ := os.ReadFile(of)
		for line := range strings.Lines(string(b)) {
			var n int
			if _, err := fmt.Sscanf(line, "Pss: %d kB", &n); err == nil {
				kb += n
			}
		}
	}
	return kb / 1000
}

func (e *postgresEngine) load(c *listings.Corpus, n int) error {
	ctx := context.Background()
	if _, err := e.Exec(ctx, postgresTable); err != nil {
		return err
	}
	i := 0
	rows := pgx.CopyFromFunc(func() ([]any, error) {
		if i == n {
			return nil, nil
		}
		d := c.At(i)
		i++
		var units, classes []string
		for _, v := range d.Variables {
			units = append(units, v.Unit)
		}
		for _, class := range d.Classes {
			classes = append(classes, string(class))
		}
		words := strings.Join(plainWords.FindAllString(plainText(&d), -1), " ")
		return []any{string(d.Node) + "/" + string(d.Name), d.Institution, d.Field, string(d.Tier), string(d.Kind), d.Formats, units, classes, words}, nil
	})
	columns := []string{"id", "institution", "field", "tier", "kind", "formats", "units", "classes", "words"}
	if _, err := e.CopyFrom(ctx, pgx.Identifier{"listings"}, columns, rows); err != nil {
		return err
	}
	for _, stmt := range []string{"CREATE INDEX ON listings USING gin (text)", "CREATE INDEX ON listings USING gin (classes)", "VACUUM ANALYZE listings"} {
		if _, err := e.Exec(ctx, stmt); err != nil {
			return err
		}
	}
	return nil
}

// postgresQuery returns the best hits, and rows of facets and the total.
const postgresQuery = `WITH m AS MATERIALIZED (SELECT id, institution, field, tier, kind, formats, ts_rank(text, q) AS score
	FROM listings, to_tsquery('simple', $1) q WHERE text @@ q AND (classes && $2 OR id = ANY($3))
	AND ($4 = '' OR units @> ARRAY[$4]) AND ($5 = '' OR tier = $5))
(SELECT 'hit', id, 0 FROM m ORDER BY score DESC, id LIMIT $6)
UNION ALL SELECT 'total', '', count(*) FROM m
UNION ALL (SELECT 'institution', institution, count(*) FROM m GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 10)
UNION ALL (SELECT 'field', field, count(*) FROM m GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 10)
UNION ALL (SELECT 'tier', tier, count(*) FROM m GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 10)
UNION ALL (SELECT 'kind', kind, count(*) FROM m GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 10)
UNION ALL (SELECT 'format', f, count(*) FROM m, unnest(formats) f GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 10)`

func (e *postgresEngine) ask(q listings.Query) (found, error) {
	limit := 20
	if q.All {
		limit = 200
	}
	rows, err := e.Query(context.Background(), postgresQuery, postgresText(q), e.classes, e.also, q.Unit, string(q.Tier), limit)
	if err != nil {
		return found{}, err
	}
	defer rows.Close()
	var f found
	for rows.Next() {
		var what, value string
		var n int
		if err := rows.Scan(&what, &value, &n); err != nil {
			return f, err
		}
		switch what {
		case "hit":
			f.ids = append(f.ids, value)
		case "total":
			f.total = n
		}
	}
	return f, rows.Err()
}

func postgresText(q listings.Query) string {
	if q.Phrase {
		return strings.Join(q.Words, " <-> ")
	}
	var words []string
	for _, w := range q.Words {
		if utf8.RuneCountInString(w) >= 3 {
			w += ":*"
		}
		words = append(words, w)
	}
	return strings.Join(words, " & ")
}

func (e *postgresEngine) folder() string { return filepath.Join(e.dir, "data", "base") }

func (e *postgresEngine) close() {
	if e.Conn != nil {
		e.Conn.Close(context.Background())
	}
	e.server.Process.Signal(syscall.SIGINT)
	e.server.Wait()
	os.RemoveAll(e.dir)
}
