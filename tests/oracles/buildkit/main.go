// Command buildkit asks BuildKit's public packages what they make of our Dockerfiles, words and ignore files.
//
// Usage: go run . CASES GOLDENS
//
// CASES is the folder with our questions (cases/), GOLDENS the one the answers go to (fixtures/compat/dockerfile).
// README.md says how the case files are written.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: buildkit CASES GOLDENS"))
	}
	cases, goldens := os.Args[1], os.Args[2]
	var files []any
	for _, name := range list(cases, "files*.txt") {
		for _, section := range sections(name) {
			files = append(files, short(dockerfile(section.title, section.text)))
		}
	}
	for _, name := range list(cases, "lines*.txt") {
		for _, line := range lines(name) {
			files = append(files, short(dockerfile(line, "FROM a\n"+line+"\n")))
		}
	}
	write(filepath.Join(goldens, "files.jsonl"), files)
	var words []any
	for _, line := range lines(filepath.Join(cases, "words.txt")) {
		words = append(words, expansion(unescape(line)))
	}
	write(filepath.Join(goldens, "words.jsonl"), words)
	var ignores []any
	for _, section := range sections(filepath.Join(cases, "ignore.txt")) {
		ignores = append(ignores, ignore(section.title, unescape(section.text)))
	}
	write(filepath.Join(goldens, "ignore.jsonl"), ignores)
	var globs []any
	for _, line := range lines(filepath.Join(cases, "globs.txt")) {
		globs = append(globs, glob(line))
	}
	write(filepath.Join(goldens, "globs.jsonl"), globs)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "buildkit:", err)
	os.Exit(1)
}

func list(folder, pattern string) []string {
	names, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		fail(err)
	}
	sort.Strings(names)
	return names
}

type section struct{ title, text string }

// sections splits a file at lines that begin with "=== ".
func sections(name string) []section {
	data, err := os.ReadFile(name)
	if err != nil {
		fail(err)
	}
	var out []section
	for _, part := range strings.Split("\n"+string(data), "\n=== ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		out = append(out, section{title, text})
	}
	return out
}

// lines gives the lines of a file that are neither empty nor begin with ";".
func lines(name string) []string {
	data, err := os.ReadFile(name)
	if err != nil {
		fail(err)
	}
	var out []string
	for _, line := range strings.Split(string(data), "\n") {
		if line != "" && !strings.HasPrefix(line, ";") {
			out = append(out, line)
		}
	}
	return out
}

// unescape reads «hex» as bytes, «text*number» as a repetition, «» as nothing; «end» drops the line break behind it.
func unescape(text string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "«")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		body, after, _ := strings.Cut(rest, "»")
		text = after
		if body == "end" {
			text = strings.TrimPrefix(after, "\n")
		} else if what, number, ok := strings.Cut(body, "*"); ok {
			count, err := strconv.Atoi(number)
			if err != nil {
				fail(err)
			}
			out.WriteString(strings.Repeat(what, count))
		} else {
			data, err := hex.DecodeString(body)
			if err != nil {
				fail(err)
			}
			out.Write(data)
		}
	}
}

// short cuts long strings of an answer, the question aside.
func short(answer object) object {
	data, err := json.Marshal(answer)
	if err != nil {
		fail(err)
	}
	var out object
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		fail(err)
	}
	text := out["text"]
	shorten(out)
	out["text"] = text
	return out
}

func shorten(value any) any {
	switch value := value.(type) {
	case object:
		for key, inner := range value {
			value[key] = shorten(inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = shorten(inner)
		}
	case string:
		if len(value) > 1000 {
			return fmt.Sprintf("%s… %d bytes", value[:20], len(value))
		}
	}
	return value
}

func write(name string, answers []any) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	for _, answer := range answers {
		if err := encoder.Encode(answer); err != nil {
			fail(err)
		}
	}
	file, err := os.Create(name)
	if err != nil {
		fail(err)
	}
	w := bufio.NewWriter(file)
	w.Write(out.Bytes())
	if err := w.Flush(); err != nil {
		fail(err)
	}
	if err := file.Close(); err != nil {
		fail(err)
	}
}
