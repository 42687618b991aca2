// Genesis is the command line of a Genesis node: one file per command, each a
// client of the node's API (package client). The exit statuses, the objects
// that --json prints and every command with examples are in docs/cli.md.
//
// join.go finds the node that serves the home, or becomes it; app.go holds
// what commands share; print.go, table.go and figure.go are how things look to
// a person.
package main
