// Asks BuildKit's Dockerfile frontend what image configuration, history and steps a Dockerfile means, for every case
// in cases/*.txt, and writes the answers to fixtures/compat/evaluate/*.jsonl. No network: base images come from
// fixtures/compat/evaluate/bases.json. Run by hand in this directory: go run .
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

const answers = "../../../fixtures/compat/evaluate"

// One line of an answer file: the question, and what BuildKit says.
type answer struct {
	question
	Bases  []string        `json:"bases,omitempty"`
	Image  json.RawMessage `json:"image,omitempty"`
	Steps  []step          `json:"steps,omitempty"`
	Result string          `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
	Line   int             `json:"line,omitempty"`
	Last   int             `json:"last,omitempty"`
}

func main() {
	files, err := filepath.Glob("cases/*.txt")
	if err != nil || len(files) == 0 {
		stop("no cases: run this in its own directory: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(answers, "bases.json"))
	if err != nil {
		stop("%v", err)
	}
	var bases map[string]json.RawMessage
	if err := json.Unmarshal(text, &bases); err != nil {
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
			given, err := ask(q, bases)
			if err != nil {
				stop("%s: %s: %v", file, q.Name, err)
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

// Serves base images out of bases.json: `name linux/arm64` wins over `name`.
type images struct {
	known map[string]json.RawMessage
	lock  sync.Mutex
	asked []string
}

func (i *images) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	platform := platforms.FormatAll(*opt.ImageOpt.Platform)
	i.lock.Lock()
	i.asked = append(i.asked, ref+" "+platform)
	i.lock.Unlock()
	if config, ok := i.known[ref+" "+platform]; ok {
		return ref, "", config, nil
	}
	if config, ok := i.known[ref]; ok {
		return ref, "", config, nil
	}
	return "", "", nil, fmt.Errorf("%s: not found", ref)
}

func ask(q question, bases map[string]json.RawMessage) (*answer, error) {
	machine := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	network := map[string]pb.NetMode{"": pb.NetMode_UNSET, "none": pb.NetMode_NONE, "host": pb.NetMode_HOST}
	args := map[string]string{}
	for k, v := range q.Args {
		args[k] = v
	}
	resolver := &images{known: bases}
	opt := dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			BuildArgs:      args,
			Labels:         q.Labels,
			Target:         q.Target,
			NetworkMode:    network[q.Network],
			BuildPlatforms: []ocispecs.Platform{machine},
		},
		MetaResolver: resolver,
		SourceMap:    llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", []byte(q.Dockerfile)),
	}
	if q.Platform != "" {
		platform, err := platforms.Parse(q.Platform)
		if err != nil {
			return nil, err
		}
		platform = platforms.Normalize(platform) // as BuildKit does with what the command line says
		opt.TargetPlatform = &platform
	}
	given := &answer{question: q}
	result, err := dockerfile2llb.Dockerfile2LLB(context.Background(), []byte(q.Dockerfile), opt)
	if err != nil {
		given.Error = err.Error()
		var located *parser.LocationError
		if errors.As(err, &located) && len(located.Locations) > 0 && len(located.Locations[0]) > 0 {
			lines := located.Locations[0]
			given.Line, given.Last = lines[0].Start.Line, lines[len(lines)-1].End.Line
		}
		return given, nil
	}
	if given.Image, err = withoutTimes(result.Image); err != nil {
		return nil, err
	}
	definition, err := result.State.Marshal(context.Background())
	if err != nil {
		given.Image, given.Error = nil, err.Error()
		return given, nil
	}
	graph, err := readGraph(definition)
	if err != nil {
		return nil, err
	}
	if given.Steps, err = graph.steps(); err != nil {
		return nil, err
	}
	given.Result = graph.result()
	sort.Strings(resolver.asked)
	given.Bases = slices.Compact(resolver.asked)
	return given, nil
}

// The configuration as BuildKit hands it to its exporter; when things were made is of no interest here.
func withoutTimes(image any) (json.RawMessage, error) {
	text, err := json.Marshal(image)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	delete(fields, "created")
	if history, ok := fields["history"].([]any); ok {
		for _, entry := range history {
			delete(entry.(map[string]any), "created")
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
