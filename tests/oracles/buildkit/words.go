package main

import (
	"bytes"
	"path/filepath"
	"sort"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// variables are those that every word is expanded with; tests/compat/dockerfile knows the same.
var variables = shell.EnvsFromSlice([]string{
	"A=a.b.c", "B=two words", "E=", "P=/usr/lib/x.so.1", "Q=it's \"q\"", "D=$A", "S=a*b?c", "N=line1\nline2",
	"T= lead trail ", "U8=größe", "BS=a\\b", "DOLLAR=x$0y$A", "_u=under", "a=small", "X1=one",
})

// modes are the ways of expansion.
var modes = []struct {
	name string
	lex  func() *shell.Lex
}{
	{"plain", func() *shell.Lex { return shell.NewLex('\\') }},
	{"backtick", func() *shell.Lex { return shell.NewLex('`') }},
	{"body", func() *shell.Lex { l := shell.NewLex('\\'); l.SkipProcessQuotes = true; return l }},
	{"shown", func() *shell.Lex {
		l := shell.NewLex('\\')
		l.RawQuotes, l.SkipUnsetEnv = true, true
		return l
	}},
	{"raw", func() *shell.Lex {
		l := shell.NewLex('\\')
		l.RawQuotes, l.RawEscapes, l.SkipUnsetEnv = true, true, true
		return l
	}},
}

func expansion(word string) object {
	out := object{"word": word}
	for _, mode := range modes {
		lex := mode.lex()
		result, err := lex.ProcessWordWithMatches(word, variables)
		if err != nil {
			_, message, _ := strings.Cut(err.Error(), ": ")
			out[mode.name] = object{"error": strings.TrimPrefix(err.Error(), quoted(err.Error(), message))}
			continue
		}
		list, _ := lex.ProcessWords(word, variables)
		answer := object{"text": result.Result, "words": list}
		if mode.name == "plain" {
			answer["matched"], answer["unmatched"] = names(result.Matched), names(result.Unmatched)
		}
		out[mode.name] = answer
	}
	return out
}

// quoted is what stands before the cause: failed to process "…": .
func quoted(message, fallback string) string {
	const start = "failed to process "
	if !strings.HasPrefix(message, start) {
		return strings.TrimSuffix(message, fallback)
	}
	escaped := false
	for at := len(start) + 1; at < len(message); at++ {
		switch {
		case escaped:
			escaped = false
		case message[at] == '\\':
			escaped = true
		case message[at] == '"':
			return message[:at+3]
		}
	}
	return ""
}

func names(set map[string]struct{}) []string {
	out := []string{}
	for name := range set {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// ignore reads patterns up to a line "---", then paths; it answers per path: excluded on its own, excluded in a walk.
func ignore(title, text string) object {
	patterns, rest, _ := strings.Cut(text, "---\n")
	out := object{"title": title, "file": patterns}
	list, err := ignorefile.ReadAll(bytes.NewReader([]byte(patterns)))
	if err != nil {
		out["error"] = err.Error()
		return out
	}
	out["patterns"] = list
	matcher, err := patternmatcher.New(list)
	if err != nil {
		out["error"] = err.Error()
		return out
	}
	var answers [][]any
	for _, path := range strings.Split(strings.TrimSuffix(rest, "\n"), "\n") {
		if path == "" {
			continue
		}
		alone, err := matcher.MatchesOrParentMatches(path)
		if err != nil {
			out["error"] = err.Error()
			return out
		}
		var info patternmatcher.MatchInfo
		var walked bool
		parts := strings.Split(path, "/")
		for i := range parts {
			walked, info, err = matcher.MatchesUsingParentResults(strings.Join(parts[:i+1], "/"), info)
			if err != nil {
				out["error"] = err.Error()
				return out
			}
		}
		answers = append(answers, []any{path, alone, walked})
	}
	out["paths"] = answers
	return out
}

// glob reads "pattern name name…".
func glob(line string) object {
	fields := strings.Fields(line)
	out := object{"pattern": fields[0]}
	var answers [][]any
	for _, name := range fields[1:] {
		found, err := filepath.Match(fields[0], name)
		if err != nil {
			out["error"] = true
			return out
		}
		answers = append(answers, []any{name, found})
	}
	out["names"] = answers
	return out
}
