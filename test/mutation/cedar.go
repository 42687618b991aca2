package main

import (
	"bytes"
	"regexp"
	"strings"
)

// cedarMutator gathers the changes of one file of policies.
type cedarMutator struct {
	name string
	text []byte
	all  []Mutant
}

var (
	policyText = regexp.MustCompile(`(?s)@id\("[^"]*"\).*?;\n`)
	effect     = regexp.MustCompile(`(?m)^(permit|forbid)\b`)
	clause     = regexp.MustCompile(`(?s)(when|unless) \{.*?\}`)
	operator   = regexp.MustCompile(`&&|\|\||==|!=`)
	negation   = regexp.MustCompile(`!(\(|[a-z])`)
	atom       = regexp.MustCompile(`(context|principal|resource)\.[a-z]+(\.contains\([^()]*\)| (==|!=) ("[^"]*"|[a-z]+))?|\(action == Action::"[a-z]+"`)
	actions    = regexp.MustCompile(`action in \[([^\]]*)\]`)
	oneAction  = regexp.MustCompile(`(?m)^  action == Action::"[a-z]+",$`)
	node       = regexp.MustCompile(`resource == Node::"[a-z]+"`)
	tier       = regexp.MustCompile(`"(public|registered|partner|controlled|restricted|draft|withdrawn|erased|expired|refused|No|Conditional|model|operator|officer|steward|us-citizen|us-person)"`)
)

// others are what takes the place of a word.
var others = map[string][]string{
	"public": {"registered", "partner"}, "registered": {"public", "partner", "controlled"}, "partner": {"controlled", "registered"},
	"controlled": {"restricted", "partner"}, "restricted": {"controlled"}, "draft": {"published"}, "withdrawn": {"published"}, "erased": {"published"},
	"expired": {"vetted"}, "refused": {"expired"}, "No": {"Yes"}, "Conditional": {"No"}, "model": {"dataset"}, "operator": {"steward"},
	"officer": {"operator"}, "steward": {"officer"}, "us-citizen": {"foreign-national"}, "us-person": {""},
}

// cedar lists the changes of a file of policies: policies and their conditions left
// out or turned round, operators, parts of conditions that become true or false,
// actions left out or all of them, and words that take each other's place.
func cedar(name string, text []byte) []Mutant {
	m := &cedarMutator{name: name, text: text}
	for _, at := range policyText.FindAllIndex(text, -1) {
		m.replace(at[0], at[1], "\n", "the policy is left out")
		from := at[0] + bytes.Index(text[at[0]:at[1]], []byte("\n"+effectOf(text[at[0]:at[1]])))
		m.each(effect, from, at[1], flip("permit", "forbid"))
		m.each(clause, from, at[1], func(s string) []string { return []string{"", flip("when", "unless")(s)[0]} })
		body := from + max(0, bytes.Index(text[from:at[1]], []byte("\nwhen")))
		if i := bytes.Index(text[from:at[1]], []byte("\nunless")); i >= 0 && !bytes.Contains(text[from:at[1]], []byte("\nwhen")) {
			body = from + i
		}
		m.each(operator, body, at[1], func(s string) []string {
			return []string{map[string]string{"&&": "||", "||": "&&", "==": "!=", "!=": "=="}[s]}
		})
		m.each(negation, body, at[1], func(s string) []string { return []string{s[1:]} })
		m.each(atom, body, at[1], func(s string) []string {
			if strings.HasPrefix(s, "(") {
				return []string{"(true", "(false"}
			}
			return []string{"true", "false"}
		})
		m.each(actions, from, at[1], without)
		m.each(oneAction, from, at[1], func(string) []string { return []string{"  action,"} })
		m.each(node, from, at[1], func(string) []string { return []string{"resource is Node"} })
		m.each(tier, body, at[1], func(s string) []string {
			var quoted []string
			for _, o := range others[strings.Trim(s, `"`)] {
				quoted = append(quoted, `"`+o+`"`)
			}
			return quoted
		})
	}
	return m.all
}

func effectOf(policy []byte) string {
	if bytes.Contains(policy, []byte("\npermit (")) {
		return "permit"
	}
	return "forbid"
}

func flip(a, b string) func(string) []string {
	return func(s string) []string {
		if strings.HasPrefix(s, a) {
			return []string{b + strings.TrimPrefix(s, a)}
		}
		return []string{a + strings.TrimPrefix(s, b)}
	}
}

// without leaves out each action of a list, and the list.
func without(s string) []string {
	list := actions.FindStringSubmatch(s)[1]
	parts := strings.Split(list, ", ")
	all := []string{"action"}
	for i := range parts {
		rest := strings.Join(append(append([]string{}, parts[:i]...), parts[i+1:]...), ", ")
		all = append(all, "action in ["+rest+"]")
	}
	return all
}

// each adds the changes of every match between two places.
func (m *cedarMutator) each(what *regexp.Regexp, from, to int, with func(string) []string) {
	for _, at := range what.FindAllIndex(m.text[from:to], -1) {
		a, b := from+at[0], from+at[1]
		was := string(m.text[a:b])
		for _, is := range with(was) {
			m.replace(a, b, is, strings.Join(strings.Fields(was+" becomes "+is), " "))
		}
	}
}

func (m *cedarMutator) replace(from, to int, with, what string) {
	text := bytes.Join([][]byte{m.text[:from], []byte(with), m.text[to:]}, nil)
	m.all = append(m.all, Mutant{File: m.name, Line: 1 + bytes.Count(m.text[:from], []byte("\n")), What: what, Text: text, Source: lineAt(m.text, from)})
}
