// Command helm asks the real libraries (text/template, Sprig, Helm's engines, sigs.k8s.io/yaml) what they make of the
// inputs written down here, and writes their answers to fixtures/compat as JSON lines.
//
//	go run . ../../../fixtures/compat
//
// With `fuzz` it makes random templates, values and YAML texts and writes the answers in the same form (fuzz.sh).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// A sink writes one golden file; equal lines are written once.
type sink struct {
	w    *bufio.Writer
	f    *os.File
	name string
	seen map[string]bool
}

func open(dir, name string) *sink {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		panic(err)
	}
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	return &sink{bufio.NewWriter(f), f, name, map[string]bool{}}
}

func (s *sink) put(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if s.seen[string(b)] {
		return
	}
	s.seen[string(b)] = true
	s.w.Write(b)
	s.w.WriteByte('\n')
}

func (s *sink) close() {
	s.w.Flush()
	s.f.Close()
	fmt.Println(s.name, len(s.seen))
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == "fuzz" {
		fuzz(os.Args[2], os.Args[3], os.Args[4])
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: helm FIXTURES | helm fuzz SEED COUNT FOLDER")
		os.Exit(2)
	}
	dir := os.Args[1]
	read, write := open(dir, "yaml/read.jsonl"), open(dir, "yaml/write.jsonl")
	yamlCases(read.put, write.put)
	read.close()
	write.close()
	language := open(dir, "template/language.jsonl")
	languageCases(language.put)
	language.close()
	functions := open(dir, "template/functions.jsonl")
	sprigCases(functions.put)
	functions.close()
	helm := open(dir, "template/helm.jsonl")
	helmCases(helm.put)
	helm.close()
	list, err := json.Marshal(names())
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "template/names.json"), append(list, '\n'), 0o644); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "template/data.json"), []byte(dataJSON+"\n"), 0o644); err != nil {
		panic(err)
	}
}
