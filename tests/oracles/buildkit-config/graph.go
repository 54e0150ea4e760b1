package main

import (
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// What BuildKit would execute for one instruction. A tree is named `scratch`, `context`, `image NAME PLATFORM`, or
// `line N` for the tree after the step that stands there.
type step struct {
	Line     int      `json:"line"`
	Name     string   `json:"name"`
	Platform string   `json:"platform,omitempty"`
	Parent   string   `json:"parent"`
	Run      *run     `json:"run,omitempty"`
	Copy     []copied `json:"copy,omitempty"`
	Workdir  *workdir `json:"workdir,omitempty"`
}

type run struct {
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Cwd     string   `json:"cwd"`
	User    string   `json:"user,omitempty"`
	Network string   `json:"network,omitempty"`
	Script  *file    `json:"script,omitempty"`
}

type file struct {
	Path string `json:"path"`
	Text string `json:"text"`
	Mode string `json:"mode"`
}

type copied struct {
	From   string `json:"from,omitempty"`
	Path   string `json:"path,omitempty"`
	File   *file  `json:"file,omitempty"`
	Dest   string `json:"dest"`
	Owner  string `json:"owner,omitempty"`
	Mode   string `json:"mode,omitempty"`
	Unpack bool   `json:"unpack,omitempty"`
}

type workdir struct {
	Path  string `json:"path"`
	Owner string `json:"owner,omitempty"`
}

type graph struct {
	ops   map[digest.Digest]*pb.Op
	lines map[digest.Digest]int
	names map[digest.Digest]string
	head  *pb.Input
}

func readGraph(definition *llb.Definition) (*graph, error) {
	g := &graph{ops: map[digest.Digest]*pb.Op{}, lines: map[digest.Digest]int{}, names: map[digest.Digest]string{}}
	for _, text := range definition.Def {
		var op pb.Op
		if err := op.UnmarshalVT(text); err != nil {
			return nil, err
		}
		key := digest.FromBytes(text)
		if op.Op == nil {
			g.head = op.Inputs[0]
			continue
		}
		g.ops[key] = &op
		g.names[key] = definition.Metadata[key].Description["llb.customname"]
		if definition.Source == nil {
			continue
		}
		if locations := definition.Source.Locations[string(key)]; locations != nil && len(locations.Locations) > 0 {
			g.lines[key] = int(locations.Locations[0].Ranges[0].Start.Line)
		}
	}
	return g, nil
}

func (g *graph) result() string {
	if g.head == nil {
		return "scratch"
	}
	return g.tree(digest.Digest(g.head.Digest))
}

func (g *graph) tree(key digest.Digest) string {
	op := g.ops[key]
	source := op.GetSource()
	switch {
	case source == nil:
		return "line " + strconv.Itoa(g.lines[key])
	case strings.HasPrefix(source.Identifier, "local://"):
		return "context"
	default:
		return "image " + strings.TrimPrefix(source.Identifier, "docker-image://") + " " + platform(op)
	}
}

func platform(op *pb.Op) string {
	p := op.Platform
	if p == nil {
		return ""
	}
	return platforms.FormatAll(ocispecs.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion})
}

// In the order of the Dockerfile; files of heredocs are folded into the steps that use them.
func (g *graph) steps() ([]step, error) {
	var all []step
	for key, op := range g.ops {
		s := step{Line: g.lines[key], Name: g.names[key], Platform: platform(op)}
		switch {
		case op.GetExec() != nil:
			g.exec(op, &s)
		case op.GetFile() != nil && isDocument(op):
			continue
		case op.GetFile() != nil:
			if err := g.file(op, &s); err != nil {
				return nil, err
			}
		case op.GetSource() != nil:
			continue
		default:
			return nil, fmt.Errorf("an operation of a kind that no case asks for: %v", op)
		}
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Line < all[j].Line })
	return all, nil
}

func (g *graph) input(op *pb.Op, index int64) string {
	if index < 0 {
		return "scratch"
	}
	return g.tree(digest.Digest(op.Inputs[index].Digest))
}

func (g *graph) exec(op *pb.Op, s *step) {
	exec := op.GetExec()
	s.Run = &run{Args: exec.Meta.Args, Env: exec.Meta.Env, Cwd: exec.Meta.Cwd, User: exec.Meta.User}
	switch exec.Network {
	case pb.NetMode_NONE:
		s.Run.Network = "none"
	case pb.NetMode_HOST:
		s.Run.Network = "host"
	}
	for _, mount := range exec.Mounts {
		if mount.Dest == "/" {
			s.Parent = g.input(op, mount.Input)
		} else {
			s.Run.Script = g.document(op, mount.Input)
			s.Run.Script.Path = path.Join(mount.Dest, s.Run.Script.Path)
		}
	}
}

// Whether an operation only makes the file of a heredoc.
func isDocument(op *pb.Op) bool {
	actions := op.GetFile().Actions
	return len(actions) == 1 && actions[0].GetMkfile() != nil
}

func (g *graph) document(op *pb.Op, index int64) *file {
	made := g.ops[digest.Digest(op.Inputs[index].Digest)].GetFile().Actions[0].GetMkfile()
	return &file{Path: made.Path, Text: string(made.Data), Mode: fmt.Sprintf("%o", made.Mode)}
}

func (g *graph) file(op *pb.Op, s *step) error {
	for i, action := range op.GetFile().Actions {
		if i == 0 {
			s.Parent = g.input(op, int64(action.Input))
		}
		switch {
		case action.GetMkdir() != nil:
			s.Workdir = &workdir{Path: action.GetMkdir().Path, Owner: owner(action.GetMkdir().Owner)}
		case action.GetCopy() != nil:
			s.Copy = append(s.Copy, g.copy(op, action))
		default:
			return fmt.Errorf("a file action of a kind that no case asks for: %v", action)
		}
	}
	return nil
}

func (g *graph) copy(op *pb.Op, action *pb.FileAction) copied {
	from := action.GetCopy()
	c := copied{Dest: from.Dest, Owner: owner(from.Owner), Mode: from.ModeStr, Unpack: from.AttemptUnpackDockerCompatibility}
	if from.ModeStr == "" && from.Mode >= 0 {
		c.Mode = fmt.Sprintf("%o", from.Mode)
	}
	second := int64(action.SecondaryInput)
	if second >= 0 && !from.AllowWildcard {
		c.File = g.document(op, second)
		return c
	}
	c.From, c.Path = g.input(op, second), from.Src
	return c
}

// `user:group`, each a name or a number, empty where nothing is set.
func owner(chown *pb.ChownOpt) string {
	if chown == nil {
		return ""
	}
	side := func(user *pb.UserOpt) string {
		switch u := user.GetUser().(type) {
		case *pb.UserOpt_ByName:
			return u.ByName.Name
		case *pb.UserOpt_ByID:
			return strconv.FormatUint(uint64(u.ByID), 10)
		default:
			return ""
		}
	}
	return side(chown.User) + ":" + side(chown.Group)
}
