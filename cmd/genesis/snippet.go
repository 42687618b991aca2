package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// snippet is how a program reads a table by its URL. The token goes into a header, never
// into the URL. clients/python/tests/test_url.py runs each of them.
type snippet struct {
	program, title string
	write          func(tableURL) string
}

var snippets = []snippet{
	{"pandas", "pandas (with pyarrow, fsspec, aiohttp)", func(u tableURL) string {
		return fmt.Sprintf("import pandas\ntable = pandas.read_parquet(\n    %s,\n    storage_options=%s)\n", pythonText(u.URL), pythonDict(u.Headers))
	}},
	// Polars' own reader of URLs takes no headers, so it reads by way of Arrow.
	{"polars", "polars (with pyarrow, fsspec, aiohttp)", func(u tableURL) string {
		return fmt.Sprintf("import fsspec, polars, pyarrow.dataset\nnode = fsspec.filesystem(\"http\", headers=%s)\ntable = polars.scan_pyarrow_dataset(pyarrow.dataset.dataset(\n    %s, filesystem=node))\n",
			pythonDict(u.Headers), pythonText(u.URL))
	}},
	{"duckdb", "DuckDB (with its extension httpfs)", func(u tableURL) string {
		return fmt.Sprintf("CREATE OR REPLACE SECRET genesis_%s (TYPE http, SCOPE %s,\n    EXTRA_HTTP_HEADERS MAP {%s});\nSELECT * FROM read_parquet(%[2]s);\n", u.ID, sqlText(u.URL), pairs(u.Headers, sqlText))
	}},
	{"curl", "curl", func(u tableURL) string {
		var headers strings.Builder
		for _, name := range slices.Sorted(maps.Keys(u.Headers)) {
			headers.WriteString(" -H " + shellText(name+": "+u.Headers[name]))
		}
		return fmt.Sprintf("curl -sSf%s -o table.parquet \\\n    %s\n", headers.String(), shellText(u.URL))
	}},
}

// pairs joins a map's entries, in order of its keys.
func pairs(m map[string]string, quote func(string) string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, quote(key)+": "+quote(m[key]))
	}
	return strings.Join(all, ", ")
}

func pythonDict(m map[string]string) string { return "{" + pairs(m, pythonText) + "}" }

// pythonText is a text as a literal of Python: its escapes are Go's.
func pythonText(s string) string { return strconv.QuoteToASCII(s) }

func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func shellText(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
