package main

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis"
)

// writeOut has write fill the file at path: all of it or none, for the file
// gets its name only when it is whole. "-" is the standard output.
func (a *app) writeOut(op, path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(a.out)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return outputError(op, path, errIsDir)
	}
	dir, base := filepath.Split(path)
	temp := filepath.Join(dir, "."+base+".genesis-"+rand.Text()[:8])
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return outputError(op, path, err)
	}
	defer os.Remove(temp)
	if err := write(f); err != nil {
		f.Close()
		return outputError(op, path, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return outputError(op, path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return outputError(op, path, err)
	}
	return nil
}

func outputError(op, path string, err error) error {
	var known *genesis.Error
	if errors.As(err, &known) {
		return err
	}
	e := inputError(op, path, err).(*genesis.Error)
	switch e.Kind {
	case genesis.NotFound:
		e.Msg = "its folder does not exist"
	case genesis.Permission:
		e.Msg = "you may not write there"
	}
	if errors.Is(err, errIsDir) {
		e.Hint = "name a file"
	}
	return e
}

// formatOf is the format named by a flag, else by the extension of path.
func formatOf(op, flag, path string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet", ".pq":
		return "parquet", nil
	case ".csv":
		return "csv", nil
	}
	hint := "end it in .parquet or .csv"
	if path == "-" {
		hint = "say --format parquet or --format csv"
	}
	return "", &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: path, Msg: "its name does not say which format to write",
		Hint: hint}
}
