package main

import "github.com/opengenesis/genesis"

// reading are the flags that override what is recognised in raw files.
type reading struct {
	Header    string   `help:"Where the header is: none, auto or a line number from 1." placeholder:"LINE"`
	Delimiter string   `help:"What separates cells: ',' ';' '|' tab or space." placeholder:"CHAR"`
	Encoding  string   `help:"How text is encoded: utf-8, latin1, gbk, …" placeholder:"NAME"`
	Sheet     []string `help:"Read these sheets of a workbook only (repeatable)." placeholder:"NAME" sep:"none"`
}

func (r reading) options() genesis.PrepareOptions {
	return genesis.PrepareOptions{Header: r.Header, Delimiter: r.Delimiter, Encoding: r.Encoding, Sheets: r.Sheet}
}
