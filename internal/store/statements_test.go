package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/opengenesis/genesis"
)

// numbers opens a database with the numbers from 0 to 9, and returns its only connection.
func numbers(t testing.TB) *sql.Conn {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c, err := db.write.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.ExecContext(t.Context(), "CREATE TABLE numbers (n INTEGER PRIMARY KEY, word TEXT)"); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if _, err := c.ExecContext(t.Context(), "INSERT INTO numbers VALUES ($1, $2)", n, fmt.Sprint("word ", n)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// kept are the statements that a connection keeps.
func kept(t testing.TB, c *sql.Conn) (n int) {
	t.Helper()
	err := c.Raw(func(conn any) error {
		k := conn.(*keeper)
		if n = k.used.Len(); n != len(k.kept) {
			return fmt.Errorf("%d are kept, and %d found", n, len(k.kept))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestStatementsOfOneText: a statement that is asked again while its rows are read has
// rows of its own, and of the two one is kept.
func TestStatementsOfOneText(t *testing.T) {
	c := numbers(t)
	before, sum := kept(t, c), 0
	ask := func(least int) *sql.Rows {
		rows, err := c.QueryContext(t.Context(), "SELECT n FROM numbers WHERE n >= $1 ORDER BY n", least)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	outer := ask(7)
	defer outer.Close()
	for outer.Next() {
		var n int
		if err := outer.Scan(&n); err != nil {
			t.Fatal(err)
		}
		inner := ask(n)
		for inner.Next() {
			var m int
			if err := inner.Scan(&m); err != nil {
				t.Fatal(err)
			}
			sum += 10*n + m
			break // not all of them
		}
		inner.Close()
	}
	if err := outer.Err(); err != nil || sum != 7*11+8*11+9*11 {
		t.Errorf("%d, %v", sum, err)
	}
	if n := kept(t, c); n != before+1 {
		t.Errorf("%d statements are kept, before %d", n, before)
	}
}

// TestStatementsOfAnEarlierSchema: one that was prepared before the schema changed is
// asked as if it was not.
func TestStatementsOfAnEarlierSchema(t *testing.T) {
	c := numbers(t)
	ask := func() []string {
		rows, err := c.QueryContext(t.Context(), "SELECT * FROM numbers WHERE n = $1", 1)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			if err := rows.Scan(make([]any, 0)...); err == nil {
				t.Error("no columns")
			}
		}
		return columns
	}
	if n := len(ask()); n != 2 {
		t.Errorf("%d columns", n)
	}
	if _, err := c.ExecContext(t.Context(), "ALTER TABLE numbers ADD COLUMN more INTEGER"); err != nil {
		t.Fatal(err)
	}
	if got := ask(); len(got) != 3 {
		t.Errorf("%v", got)
	}
	if _, err := c.ExecContext(t.Context(), "DROP TABLE numbers"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.QueryContext(t.Context(), "SELECT * FROM numbers WHERE n = $1", 1); err == nil {
		t.Error("a table that is no more has rows")
	}
}

// TestStatementsThatFail: what failed, or was broken off, does not stay with what is kept.
func TestStatementsThatFail(t *testing.T) {
	c := numbers(t)
	const insert = "INSERT INTO numbers VALUES ($1, $2)"
	if _, err := c.ExecContext(t.Context(), insert, 1, "again"); err == nil {
		t.Fatal("two of one key")
	}
	if _, err := c.ExecContext(t.Context(), insert, 11, "eleven"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := c.QueryContext(ctx, "SELECT n FROM numbers WHERE n > $1", 2)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cancel()
	rows.Close()
	var n int
	if err := c.QueryRowContext(t.Context(), "SELECT n FROM numbers WHERE n > $1", 10).Scan(&n); err != nil || n != 11 {
		t.Errorf("%d, %v", n, err)
	}
	var word sql.NullString // what was bound before does not stay
	if err := c.QueryRowContext(t.Context(), "SELECT $1", "x").Scan(&word); err != nil || word.String != "x" {
		t.Errorf("%v, %v", word, err)
	}
	if err := c.QueryRowContext(t.Context(), "SELECT $1", nil).Scan(&word); err != nil || word.Valid {
		t.Errorf("%v, %v", word, err)
	}
	if err := c.QueryRowContext(t.Context(), "SELECT n FROM numbers WHERE n = $1", 99).Scan(&n); !errors.Is(err, sql.ErrNoRows) {
		t.Error(err)
	}
}

// TestStatementsAreBounded: of many texts the last ones are kept.
func TestStatementsAreBounded(t *testing.T) {
	c := numbers(t)
	for i := range 2 * mostKept {
		var n int
		if err := c.QueryRowContext(t.Context(), fmt.Sprintf("SELECT n + %d FROM numbers WHERE n = $1", i), 5).Scan(&n); err != nil || n != 5+i {
			t.Fatal(n, err)
		}
	}
	if n := kept(t, c); n != mostKept {
		t.Errorf("%d are kept", n)
	}
}

// BenchmarkRow finds a row by its key, as decisions do.
func BenchmarkRow(b *testing.B) {
	db, err := Open(b.Context(), filepath.Join(b.TempDir(), "test.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for name, pool := range map[string]*sql.DB{"kept": db.Read(), "read each time": plain(b, db.path)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var is bool
				err := pool.QueryRowContext(b.Context(), "SELECT EXISTS (SELECT 1 FROM run_orders WHERE run = $1 AND node = $2 AND state <> $3)", "x", genesis.NodeID("mit"), "ended").Scan(&is)
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func plain(b *testing.B, path string) *sql.DB {
	db, err := sql.Open("sqlite", checkedDSN(path, "_pragma=query_only(1)"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}
