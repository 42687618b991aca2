package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
	"github.com/opengenesis/genesis"
)

// claims are what a provider says of somebody.
type claims map[string]any

// readClaims reads a JSON object.
func readClaims(payload []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, err
	}
	if c == nil {
		return nil, fmt.Errorf("the claims are not an object")
	}
	return c, nil
}

// text returns a claim that is text fit to be shown, else "".
func (c claims) text(name string, most int) string {
	s, _ := c[name].(string)
	if len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// texts returns a claim that is a list of texts, or one text.
func (c claims) texts(name string, most int) []string {
	out := []string{}
	switch v := c[name].(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
	}
	out = slices.DeleteFunc(out, func(s string) bool {
		return len(s) > 200 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
	})
	return out[:min(len(out), most)]
}

const (
	ruleCost   = 100_000 // of CEL, per rule and sign-in
	ruleLength = 4096
)

// rules are those of a provider, compiled.
type rules struct {
	admit cel.Program // nil: everybody
	all   []compiledRule
}

type compiledRule struct {
	Rule
	holds cel.Program
}

// compileRules checks a provider's rules. Errors: Invalid.
func compileRules(p Provider) (rules, error) {
	env, err := cel.NewEnv(ext.Strings(), ext.Sets(), cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true), cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		return rules{}, fault("open identity", p.ID, err)
	}
	var out rules
	if p.Admit != "" {
		if out.admit, err = compileRule(env, p.ID, "admit", p.Admit); err != nil {
			return rules{}, err
		}
	}
	for n, r := range p.Rules {
		where := fmt.Sprintf("rule %d", n+1)
		if err := r.check(p.ID, where); err != nil {
			return rules{}, err
		}
		holds, err := compileRule(env, p.ID, where, r.When)
		if err != nil {
			return rules{}, err
		}
		out.all = append(out.all, compiledRule{r, holds})
	}
	return out, nil
}

// check reports why a rule could not be meant so, or nil.
func (r Rule) check(provider, where string) error {
	bad := func(msg string) error { return invalid("open identity", provider, where+": "+msg) }
	if err := checkFields("open identity", provider, nil, nil, &r.Duties, &r.Citizenship); err != nil {
		return bad(err.Error())
	}
	switch {
	case r.Assurance != "" && r.Assurance != genesis.AssurancePassword && r.Assurance != genesis.AssuranceMFA:
		return bad("assurance is password or mfa")
	case r.Vetting != "" && r.Vetting != genesis.Vetted:
		return bad("vetting can only be vetted: officers decide the rest")
	case len(r.Duties) == 0 && r.Assurance == "" && r.Citizenship == "" && !r.Student && r.Vetting == "":
		return bad("nothing follows from it")
	}
	return nil
}

func compileRule(env *cel.Env, provider, where, text string) (cel.Program, error) {
	bad := func(msg string) error {
		return &genesis.Error{Op: "open identity", Kind: genesis.Invalid, Subject: provider, Msg: where + ": " + msg,
			Hint: `write an expression over claims that is true or false: "stewards" in claims.groups`}
	}
	if len(text) > ruleLength || strings.TrimSpace(text) == "" {
		return nil, bad(fmt.Sprintf("it is empty, or longer than %d bytes", ruleLength))
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, bad(oneLine(issues.Err()))
	}
	if !ast.OutputType().IsExactType(cel.BoolType) && !ast.OutputType().IsExactType(cel.DynType) {
		return nil, bad("it gives " + ast.OutputType().String() + ", not true or false")
	}
	program, err := env.Program(ast, cel.CostLimit(ruleCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, bad(oneLine(err))
	}
	return program, nil
}

// oneLine is the first line of an error.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// holds evaluates an expression. One that cannot be evaluated, because a claim is
// missing or of another type, does not hold: rules only ever give.
func holds(ctx context.Context, p cel.Program, c claims) bool {
	out, _, err := p.ContextEval(ctx, map[string]any{"claims": map[string]any(c)})
	if err != nil {
		return false
	}
	yes, ok := out.Value().(bool)
	return ok && yes
}

// facts are what follows from claims.
type facts struct {
	assurance   genesis.Assurance
	duties      list[genesis.Duty]
	citizenship genesis.Citizenship
	student     bool
	vetted      bool
}

// apply returns whether somebody is admitted, and what follows from their claims.
func (r rules) apply(ctx context.Context, c claims) (facts, bool) {
	f := facts{assurance: genesis.AssurancePassword}
	if r.admit != nil && !holds(ctx, r.admit, c) {
		return f, false
	}
	var duties []genesis.Duty
	for _, rule := range r.all {
		if !holds(ctx, rule.holds, c) {
			continue
		}
		duties = append(duties, rule.Duties...)
		if rule.Assurance == genesis.AssuranceMFA {
			f.assurance = genesis.AssuranceMFA
		}
		if f.citizenship == "" {
			f.citizenship = rule.Citizenship
		}
		f.student = f.student || rule.Student
		f.vetted = f.vetted || rule.Vetting == genesis.Vetted
	}
	f.duties = sorted(duties)
	return f, true
}
