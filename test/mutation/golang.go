package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
)

// opposites are the operators that take each other's place.
var opposites = map[token.Token][]token.Token{
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS}, token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR},
	token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD},
}

// goMutator gathers the changes of one Go file.
type goMutator struct {
	name string
	text []byte
	fset *token.FileSet
	all  []Mutant
}

// golang lists the changes of a Go file: operators, conditions, negations, numbers,
// truth values, and statements that are left out.
func golang(name string, text []byte) ([]Mutant, error) {
	m := &goMutator{name: name, text: text, fset: token.NewFileSet()}
	file, err := parser.ParseFile(m.fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
			return false
		}
		m.visit(n)
		return !tunes(n)
	})
	return m.all, nil
}

// tunes reports whether numbers inside n are sizes that change no behaviour: shifts,
// and the capacity of what is made.
func tunes(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		return n.Op == token.SHL || n.Op == token.SHR
	case *ast.CallExpr:
		called, ok := n.Fun.(*ast.Ident)
		return ok && called.Name == "make"
	}
	return false
}

func (m *goMutator) visit(n ast.Node) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		for _, op := range opposites[n.Op] {
			m.replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), op.String(), fmt.Sprintf("%s becomes %s", n.Op, op))
		}
		if n.Op == token.LAND || n.Op == token.LOR {
			neutral := strconv.FormatBool(n.Op == token.LAND)
			m.replace(n.X.Pos(), n.X.End(), neutral, m.source(n.X)+" becomes "+neutral)
			m.replace(n.Y.Pos(), n.Y.End(), neutral, m.source(n.Y)+" becomes "+neutral)
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			m.replace(n.OpPos, n.OpPos+1, "", "! is left out")
		}
	case *ast.IfStmt:
		m.replace(n.Cond.Pos(), n.Cond.End(), "!("+m.source(n.Cond)+")", "if "+m.source(n.Cond)+" is turned round")
	case *ast.CaseClause:
		for _, e := range n.List {
			if b, ok := e.(*ast.BinaryExpr); ok {
				m.replace(e.Pos(), e.End(), "false && ("+m.source(b)+")", "case "+m.source(b)+" is left out")
			}
		}
	case *ast.Ident:
		if n.Name == "true" || n.Name == "false" {
			other := strconv.FormatBool(n.Name == "false")
			m.replace(n.Pos(), n.End(), other, n.Name+" becomes "+other)
		}
	case *ast.BasicLit:
		if i, err := strconv.Atoi(n.Value); err == nil && n.Kind == token.INT {
			m.replace(n.Pos(), n.End(), strconv.Itoa(i+1), fmt.Sprintf("%d becomes %d", i, i+1))
		}
	case *ast.ExprStmt:
		m.replace(n.Pos(), n.End(), "_ = 0", m.source(n)+" is left out")
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			m.replace(n.Pos(), n.End(), "_ = 0", m.source(n)+" is left out")
		}
	}
}

// replace adds the change of what stands between two places.
func (m *goMutator) replace(from, to token.Pos, with, what string) {
	a, b := m.fset.Position(from), m.fset.Position(to)
	text := bytes.Join([][]byte{m.text[:a.Offset], []byte(with), m.text[b.Offset:]}, nil)
	m.all = append(m.all, Mutant{File: m.name, Line: a.Line, What: what, Text: text, Source: lineAt(m.text, a.Offset)})
}

func (m *goMutator) source(n ast.Node) string {
	return string(m.text[m.fset.Position(n.Pos()).Offset:m.fset.Position(n.End()).Offset])
}
