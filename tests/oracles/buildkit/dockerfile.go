package main

import (
	"errors"
	"regexp"
	"strings"

	known "github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

type object = map[string]any

// dockerfile answers with the tree of statements, the typed stages, or the error with its lines.
func dockerfile(title, text string) object {
	out := object{"title": title, "text": text}
	text = unescape(text)
	if syntax, _, _, ok := parser.ParseDirective("syntax", []byte(text)); ok {
		out["syntax"] = syntax
	}
	if check, _, _, ok := parser.ParseDirective("check", []byte(text)); ok {
		config, err := linter.ParseLintOptions(check)
		if err != nil {
			out["check_error"] = err.Error()
		} else {
			out["check"] = object{
				"skip": config.SkipRules, "skip_all": config.SkipAll, "error": config.ReturnAsError,
				"experimental": config.ExperimentalRules, "experimental_all": config.ExperimentalAll,
			}
		}
	}
	result, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		out["error"] = problem(err)
		return out
	}
	out["escape"] = string(result.EscapeToken)
	var warnings []string
	for _, warning := range result.Warnings {
		warnings = append(warnings, strings.TrimSpace(warning.Short))
	}
	if warnings != nil {
		out["warnings"] = warnings
	}
	var statements []object
	for _, node := range result.AST.Children {
		statements = append(statements, statement(node))
	}
	out["statements"] = statements
	stages, args, err := instructions.Parse(result.AST, linter.New(&linter.Config{}))
	if err != nil {
		out["error"] = problem(err)
		return out
	}
	var globals []object
	for _, arg := range args {
		globals = append(globals, command(&arg))
	}
	if globals != nil {
		out["args"] = globals
	}
	var list []object
	for _, stage := range stages {
		var commands []object
		for _, c := range stage.Commands {
			commands = append(commands, command(c))
		}
		list = append(list, object{
			"base": stage.BaseName, "name": stage.Name, "platform": stage.Platform, "doc": stage.DocComment,
			"first": stage.Location[0].Start.Line, "code": stage.SourceCode, "commands": commands,
		})
	}
	out["stages"] = list
	return out
}

var prefix = regexp.MustCompile(`^dockerfile parse error on line \d+: `)

func problem(err error) object {
	out := object{"message": prefix.ReplaceAllString(err.Error(), "")}
	var located *parser.LocationError
	if errors.As(err, &located) && len(located.Locations) > 0 {
		ranges := located.Locations[0]
		if len(ranges) > 0 {
			out["first"], out["last"] = ranges[0].Start.Line, ranges[len(ranges)-1].Start.Line
		}
	}
	return out
}

// words are the arguments in a row; of an unknown instruction there are none (the parser leaves an empty node).
func words(node *parser.Node) []string {
	out := []string{}
	if _, found := known.Commands[strings.ToLower(node.Value)]; !found {
		return out
	}
	for ; node.Next != nil; node = node.Next {
		if len(node.Next.Children) == 1 {
			child := node.Next.Children[0]
			out = append(append(out, child.Value), words(child)...)
		} else {
			out = append(out, node.Next.Value)
		}
	}
	return out
}

func statement(node *parser.Node) object {
	out := object{
		"keyword": node.Value, "words": words(node), "line": node.Original, "first": node.StartLine, "last": node.EndLine,
	}
	if len(node.Flags) > 0 {
		out["flags"] = node.Flags
	}
	if node.Attributes["json"] {
		out["json"] = true
	}
	if len(node.PrevComment) > 0 {
		out["comments"] = node.PrevComment
	}
	var heredocs []object
	for _, h := range node.Heredocs {
		heredocs = append(heredocs, object{
			"name": h.Name, "fd": h.FileDescriptor, "expand": h.Expand, "chomp": h.Chomp, "content": h.Content,
		})
	}
	if heredocs != nil {
		out["heredocs"] = heredocs
	}
	return out
}

func line(c instructions.ShellDependantCmdLine) object {
	args := c.CmdLine
	if args == nil {
		args = []string{}
	}
	return object{"shell": c.PrependShell, "args": args}
}

func pairs(list instructions.KeyValuePairs) [][]any {
	var out [][]any
	for _, pair := range list {
		out = append(out, []any{pair.Key, pair.Value, pair.NoDelim})
	}
	return out
}

func sources(s instructions.SourcesAndDest, out object) object {
	out["paths"], out["dest"] = s.SourcePaths, s.DestPath
	var contents [][]any
	for _, content := range s.SourceContents {
		contents = append(contents, []any{content.Path, content.Data, content.Expand})
	}
	out["contents"] = contents
	return out
}

func command(c any) object {
	switch c := c.(type) {
	case *instructions.ArgCommand:
		var list [][]any
		for _, arg := range c.Args {
			list = append(list, []any{arg.Key, arg.Value, arg.DocComment})
		}
		return object{"arg": list}
	case *instructions.EnvCommand:
		return object{"env": pairs(c.Env)}
	case *instructions.LabelCommand:
		return object{"label": pairs(c.Labels)}
	case *instructions.AddCommand:
		return object{"add": sources(c.SourcesAndDest, object{
			"chown": c.Chown, "chmod": c.Chmod, "link": c.Link, "exclude": c.ExcludePatterns,
			"keep": c.KeepGitDir, "checksum": c.Checksum, "unpack": c.Unpack,
		})}
	case *instructions.CopyCommand:
		return object{"copy": sources(c.SourcesAndDest, object{
			"chown": c.Chown, "chmod": c.Chmod, "link": c.Link, "exclude": c.ExcludePatterns,
			"from": c.From, "parents": c.Parents,
		})}
	case *instructions.RunCommand:
		return object{"run": run(c)}
	case *instructions.CmdCommand:
		return object{"cmd": line(c.ShellDependantCmdLine)}
	case *instructions.EntrypointCommand:
		return object{"entrypoint": line(c.ShellDependantCmdLine)}
	case *instructions.ExposeCommand:
		return object{"expose": c.Ports}
	case *instructions.HealthCheckCommand:
		h := c.Health
		return object{"healthcheck": object{
			"test": h.Test, "interval": h.Interval, "timeout": h.Timeout, "start": h.StartPeriod,
			"start_interval": h.StartInterval, "retries": h.Retries,
		}}
	case *instructions.MaintainerCommand:
		return object{"maintainer": c.Maintainer}
	case *instructions.OnbuildCommand:
		return object{"onbuild": c.Expression}
	case *instructions.ShellCommand:
		return object{"shell": c.Shell}
	case *instructions.StopSignalCommand:
		return object{"stopsignal": c.Signal}
	case *instructions.UserCommand:
		return object{"user": c.User}
	case *instructions.VolumeCommand:
		return object{"volume": c.Volumes}
	case *instructions.WorkdirCommand:
		return object{"workdir": c.Path}
	}
	return object{"unknown": true}
}

// run also expands the mounts with the variables of words.txt.
func run(c *instructions.RunCommand) object {
	out := line(c.ShellDependantCmdLine)
	out["network"], out["security"] = instructions.GetNetwork(c), instructions.GetSecurity(c)
	var devices [][]any
	for _, device := range instructions.GetDevices(c) {
		devices = append(devices, []any{device.Name, device.Required})
	}
	out["devices"] = devices
	lex := shell.NewLex('\\')
	err := c.Expand(func(word string) (string, error) {
		word, _, err := lex.ProcessWord(word, variables)
		return word, err
	})
	if err != nil {
		out["mount_error"] = err.Error()
		return out
	}
	var mounts []object
	for _, m := range instructions.GetMounts(c) {
		mounts = append(mounts, object{
			"type": m.Type, "from": m.From, "source": m.Source, "target": m.Target, "ro": m.ReadOnly,
			"size": m.SizeLimit, "id": m.CacheID, "sharing": m.CacheSharing, "required": m.Required, "env": m.Env,
			"mode": m.Mode, "uid": m.UID, "gid": m.GID,
		})
	}
	out["mounts"] = mounts
	return out
}
