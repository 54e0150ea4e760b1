package main

import (
	"fmt"
	"os"
	"strings"
)

// A Dockerfile and what stands around it.
type question struct {
	Name       string            `json:"name"`
	Dockerfile string            `json:"dockerfile"`
	Ignore     string            `json:"ignore,omitempty"`
	Target     string            `json:"target,omitempty"`
	Platform   string            `json:"platform,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
}

// Reads a file of cases. `=== name` begins one, `--- option value` lines follow, then the Dockerfile. Blank lines
// before the next case are not part of it. Carriage returns and tabs have to be real.
func readQuestions(file string) ([]question, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []question
	seen := map[string]bool{}
	for _, block := range strings.Split("\n"+string(text), "\n=== ")[1:] {
		name, body, _ := strings.Cut(block, "\n")
		if seen[name] {
			return nil, fmt.Errorf("two cases are called %q", name)
		}
		seen[name] = true
		q := question{Name: name, Args: map[string]string{}}
		for strings.HasPrefix(body, "--- ") {
			var line string
			line, body, _ = strings.Cut(strings.TrimPrefix(body, "--- "), "\n")
			if err := q.option(line); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		q.Dockerfile = strings.TrimRight(body, "\n") + "\n"
		all = append(all, q)
	}
	return all, nil
}

func (q *question) option(line string) error {
	name, value, _ := strings.Cut(line, " ")
	key, right, _ := strings.Cut(value, "=")
	switch name {
	case "target":
		q.Target = value
	case "platform":
		q.Platform = value
	case "ignore":
		q.Ignore += value + "\n"
	case "arg":
		q.Args[key] = right
	default:
		return fmt.Errorf("no option is called %q", name)
	}
	return nil
}
