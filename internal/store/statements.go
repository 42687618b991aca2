package store

import (
	"container/list"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
)

// keepingName is the name of SQLite's driver with connections that keep prepared
// statements. To read a statement takes longer than to find a row by its key, and the
// engine reads one each time that it is asked.
const keepingName = "sqlite-keeping"

var registerKeeping = sync.OnceValue(func() error {
	db, err := sql.Open("sqlite", ":memory:") // opens nothing yet, and has the driver, which has our functions
	if err != nil {
		return err
	}
	sql.Register(keepingName, keeping{db.Driver()})
	return db.Close()
})

type keeping struct{ driver.Driver }

func (d keeping) Open(name string) (driver.Conn, error) {
	c, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	e, ok := c.(engine)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the connection of the driver is a %T, which cannot what is needed", c), c.Close())
	}
	return &keeper{engine: e, kept: map[string]*list.Element{}}, nil
}

// engine is what a connection of the driver can.
type engine interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// statement is a prepared one.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// mostKept is how many statements a connection keeps: more than are asked again and again.
const mostKept = 128

// keeper is a connection that keeps the statements which nobody uses now, by their text.
// database/sql lets one goroutine at a time use a connection.
type keeper struct {
	engine
	kept map[string]*list.Element
	used list.List // of *idle, the one used last in front
}

type idle struct {
	query string
	statement
}

// take returns a statement that is nobody else's.
func (k *keeper) take(ctx context.Context, query string) (statement, error) {
	if e, ok := k.kept[query]; ok {
		delete(k.kept, query)
		return k.used.Remove(e).(*idle).statement, nil
	}
	s, err := k.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.(statement), nil
}

// keep takes a statement back, or closes it where it did not do.
func (k *keeper) keep(query string, s statement, failed error) error {
	if failed != nil {
		return errors.Join(failed, s.Close())
	}
	if _, ok := k.kept[query]; ok { // two were in use at once
		return s.Close()
	}
	k.kept[query] = k.used.PushFront(&idle{query, s})
	if len(k.kept) <= mostKept {
		return nil
	}
	last := k.used.Remove(k.used.Back()).(*idle)
	delete(k.kept, last.query)
	return last.Close()
}

func (k *keeper) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 { // pragmas, scripts of migrations
		return k.engine.ExecContext(ctx, query, args)
	}
	s, err := k.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	return result, k.keep(query, s, err)
}

func (k *keeper) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := k.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, k.keep(query, s, err)
	}
	return &keptRows{Rows: rows, keeper: k, query: query, statement: s}, nil
}

// Close closes the connection, and the statements first: with one that is open, SQLite
// does not let go of the file.
func (k *keeper) Close() error {
	var errs []error
	for e := k.used.Front(); e != nil; e = e.Next() {
		errs = append(errs, e.Value.(*idle).Close())
	}
	k.used.Init()
	clear(k.kept)
	return errors.Join(append(errs, k.engine.Close())...)
}

// keptRows are rows of a statement that is kept after them.
type keptRows struct {
	driver.Rows
	keeper    *keeper
	query     string
	statement statement
}

func (r *keptRows) Close() error {
	if r.statement == nil {
		return nil
	}
	s := r.statement
	r.statement = nil
	return r.keeper.keep(r.query, s, r.Rows.Close())
}
