package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkPages reads a table of 20 MB with next to no memory for pages, so that each
// is read from its file: from the database, and from the write-ahead log, with their
// checksums and without.
func BenchmarkPages(b *testing.B) {
	path := filepath.Join(b.TempDir(), "a.db")
	db, err := Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	err = db.Tx(b.Context(), func(tx *sql.Tx) error {
		for i := range 20_000 {
			if _, err := tx.Exec("INSERT INTO assets (id, name, kind, created_at) VALUES ($1, $2, 'dataset', $1)", i+1, fmt.Sprintf("%s-%d", strings.Repeat("name", 250), i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	measure := func(from string) {
		for _, vfs := range []string{uncheckedName, vfsName} {
			b.Run(from+"/"+vfs, func(b *testing.B) {
				read, err := sql.Open("sqlite", dsn(path, "_pragma=query_only(1)", "_pragma=cache_size(10)", "vfs="+vfs))
				if err != nil {
					b.Fatal(err)
				}
				defer read.Close()
				for b.Loop() {
					var n int
					if err := read.QueryRowContext(b.Context(), "SELECT sum(length(name)) FROM assets NOT INDEXED").Scan(&n); err != nil || n < 20_000_000 {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
	if _, err := db.write.Exec("PRAGMA wal_autocheckpoint = 0"); err != nil {
		b.Fatal(err)
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	measure("database")
	if _, err := db.write.Exec("UPDATE assets SET created_at = created_at + 1"); err != nil {
		b.Fatal(err)
	}
	measure("log")
}
