package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// What the frontend sees of a daemon: options, two files, base images. The machine is linux/amd64.
type daemon struct {
	question question
	images   map[string]json.RawMessage
	request  string
}

func (d *daemon) BuildOpts() client.BuildOpts {
	// With a command line the frontend does not look for another one in `# syntax=`.
	opts := map[string]string{"requestid": d.request, "cmdline": "lapstrake"}
	if d.question.Target != "" {
		opts["target"] = d.question.Target
	}
	if d.question.Platform != "" {
		opts["platform"] = d.question.Platform
	}
	for name, value := range d.question.Args {
		opts["build-arg:"+name] = value
	}
	machine := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	return client.BuildOpts{
		Opts:    opts,
		Workers: []client.WorkerInfo{{Platforms: []ocispecs.Platform{machine}}},
		LLBCaps: pb.Caps.CapSet(pb.Caps.All()),
		Caps:    gwpb.Caps.CapSet(gwpb.Caps.All()),
	}
}

func (d *daemon) Solve(context.Context, client.SolveRequest) (*client.Result, error) {
	result := client.NewResult()
	result.SetRef(&files{"Dockerfile": d.question.Dockerfile, ".dockerignore": d.question.Ignore})
	return result, nil
}

// `name linux/arm64` wins over `name`.
func (d *daemon) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	platform := platforms.FormatAll(*opt.ImageOpt.Platform)
	for _, name := range []string{ref + " " + platform, ref} {
		if config, ok := d.images[name]; ok {
			return ref, "", config, nil
		}
	}
	return "", "", nil, fmt.Errorf("%s: not found", ref)
}

func (d *daemon) ResolveSourceMetadata(context.Context, *pb.SourceOp, sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	return nil, fmt.Errorf("no case asks for the metadata of a source")
}

func (d *daemon) Inputs(context.Context) (map[string]llb.State, error) {
	return nil, nil
}

func (d *daemon) NewContainer(context.Context, client.NewContainerRequest) (client.Container, error) {
	return nil, fmt.Errorf("no case runs a container")
}

func (d *daemon) Warn(context.Context, digest.Digest, string, client.WarnOpts) error {
	return nil
}

// Files by name; empty ones do not exist.
type files map[string]string

func (f *files) ReadFile(_ context.Context, request client.ReadRequest) ([]byte, error) {
	if text := (*f)[request.Filename]; text != "" {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: request.Filename, Err: fs.ErrNotExist}
}

func (f *files) StatFile(_ context.Context, request client.StatRequest) (*fstypes.Stat, error) {
	if text := (*f)[request.Path]; text != "" {
		return &fstypes.Stat{Path: request.Path, Mode: 0o644, Size: int64(len(text))}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: request.Path, Err: fs.ErrNotExist}
}

func (f *files) ReadDir(context.Context, client.ReadDirRequest) ([]*fstypes.Stat, error) {
	return nil, fmt.Errorf("no case lists a folder")
}

func (f *files) ToState() (llb.State, error) {
	return llb.Scratch(), nil
}

func (f *files) Evaluate(context.Context) error {
	return nil
}
