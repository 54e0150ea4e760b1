// Asks BuildKit's Dockerfile frontend for its checks, outline and targets of every case in cases/*.txt, and writes the
// answers to fixtures/compat/checks/*.jsonl. The frontend runs whole, as the daemon would run it; files and base images
// come from the cases and from fixtures/compat/checks/bases.json. Run by hand in this directory: go run .
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/builder"
)

const (
	bases   = "../../../fixtures/compat/checks/bases.json"
	answers = "../../../fixtures/compat/checks"
)

// One line of an answer file: the question, and what BuildKit says.
type answer struct {
	question
	Lint    *reply `json:"lint,omitempty"`
	Outline *reply `json:"outline,omitempty"`
	Targets *reply `json:"targets,omitempty"`
}

type reply struct {
	Result json.RawMessage `json:"result,omitempty"`
	Text   string          `json:"text,omitempty"`
	Status string          `json:"status,omitempty"`
	Error  string          `json:"error,omitempty"`
}

func main() {
	files, err := filepath.Glob("cases/*.txt")
	if err != nil || len(files) == 0 {
		stop("no cases: run this in its own directory: %v", err)
	}
	text, err := os.ReadFile(bases)
	if err != nil {
		stop("%v", err)
	}
	var images map[string]json.RawMessage
	if err := json.Unmarshal(text, &images); err != nil {
		stop("bases.json: %v", err)
	}
	total := 0
	for _, file := range files {
		questions, err := readQuestions(file)
		if err != nil {
			stop("%s: %v", file, err)
		}
		var out bytes.Buffer
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		for _, q := range questions {
			given := answer{
				question: q,
				Lint:     ask(q, images, "frontend.lint"),
				Outline:  ask(q, images, "frontend.outline"),
				Targets:  ask(q, images, "frontend.targets"),
			}
			if err := encoder.Encode(given); err != nil {
				stop("%v", err)
			}
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt") + ".jsonl"
		if err := os.WriteFile(filepath.Join(answers, name), out.Bytes(), 0o644); err != nil {
			stop("%v", err)
		}
		total += len(questions)
	}
	fmt.Println(total, "cases answered")
}

func stop(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

// BuildKit v0.33.1 crashes when it lists the targets of a file with `# check=` above an instruction.
const crash = "it crashes"

func ask(q question, images map[string]json.RawMessage, request string) (given *reply) {
	defer func() {
		if recover() != nil {
			given = &reply{Error: crash}
		}
	}()
	result, err := builder.Build(context.Background(), &daemon{question: q, images: images, request: request})
	if err != nil {
		return &reply{Error: err.Error()}
	}
	given = &reply{
		Text:   string(result.Metadata["result.txt"]),
		Status: string(result.Metadata["result.statuscode"]),
	}
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(result.Metadata["result.json"]))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		stop("%s: %v", q.Name, err)
	}
	delete(fields, "sources")
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		stop("%s: %v", q.Name, err)
	}
	given.Result = bytes.TrimSpace(out.Bytes())
	return given
}
