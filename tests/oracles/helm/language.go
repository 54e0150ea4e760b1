package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// The data of every template vector: numbers from JSON are floats, as in a values file.
const dataJSON = `{"n":42,"one":1,"zero":0,"f":2.5,"big":1000000,"neg":-3,"s":"str","e":"","u":"héé☃","t":true,"fa":false,"nil":null,"l":["a","b","c"],"ln":[3,1,2],"mix":["x",1,null,true,[1],{"k":"v"}],"el":[],"m":{"a":1,"b":"two","c":{"d":"deep"}},"em":{},"html":"<a href=\"x\">'&'</a>","num":"12","ml":"line1\nline2\n","yes":"yes"}`

type templateCase struct {
	Text string `json:"t"`
	Opt  string `json:"o,omitempty"`
	Out  string `json:"out"`
	Raw  []byte `json:"raw,omitempty"`
	Err  string `json:"err,omitempty"`
}

func data() map[string]any {
	var v map[string]any
	if err := json.Unmarshal([]byte(dataJSON), &v); err != nil {
		panic(err)
	}
	return v
}

func funcs() template.FuncMap {
	f := sprig.TxtFuncMap()
	delete(f, "env")
	delete(f, "expandenv")
	return f
}

func run(text, opt string) templateCase {
	c := templateCase{Text: text, Opt: opt}
	t := template.New("gotpl").Funcs(funcs())
	if opt == "" {
		t.Option("missingkey=zero")
	} else {
		t.Option("missingkey=" + opt)
	}
	t, err := t.New("f.yaml").Parse(text)
	if err != nil {
		c.Err = err.Error()
		return c
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data()); err != nil {
		c.Err = err.Error()
	}
	c.Out = b.String()
	if len(c.Out) > 3000 {
		c.Out = fmt.Sprintf("%x", sha256.Sum256(b.Bytes()))
	}
	if strings.ToValidUTF8(c.Out, "") != c.Out {
		c.Raw, c.Out = b.Bytes(), ""
	}
	return c
}

// Operands of every kind.
var operands = []string{
	".n", ".one", ".zero", ".f", ".big", ".neg", ".s", ".e", ".u", ".t", ".fa", ".nil", ".nope", ".l", ".ln", ".mix", ".el", ".m", ".em", ".m.c.d", ".m.nope", "(.m.nope)", "(.nil)",
	"1", "0", "-5", "2.5", "1e3", "1e18", "'a'", "\"lit\"", "\"\"", "true", "false", "nil", "$", ".", "(list 1 2 3)", "(dict \"k\" 1)", "(int .n)", "(int64 7)", "(printf \"%d\" 3)", "(splitList \",\" \"a,b\")", "(until 3)", "(list)", "(dict)", "(len .l)", "0x1F",
}

var constructs = []string{
	"", "plain", "a{{/* c */}}b", "a {{- /* c */ -}} b", "a {{- 1 -}} b", "a\n\n  {{- 1 }}\n b", "{{1 -}}  \n x", "{{- 1 -}}", "{{-1}}", "{{- -1}}", "{{ -1 }}", "x{{\"a\"}}y", "{{`raw\\n`}}", "{{\"\\n\\t\\u00e9\"}}", "{{'x'}}", "{{'\\n'}}", "{{\n1\n}}", "{{ 1 | print }}", "{{ print 1 2 \"a\" 3 4 }}", "{{ println 1 \"a\" }}", "{{\"a\" | printf \"%s-%s\" \"b\"}}",
	"{{if .t}}y{{end}}", "{{if .fa}}y{{else}}n{{end}}", "{{if .fa}}a{{else if .t}}b{{else}}c{{end}}", "{{if .fa}}a{{else if .zero}}b{{else}}c{{end}}", "{{if and .t .n}}y{{end}}", "{{if or .fa .e}}y{{else}}n{{end}}", "{{if not .fa}}y{{end}}", "{{if $x := .n}}{{$x}}{{end}}", "{{if $x := .fa}}a{{else}}{{$x}}{{end}}",
	"{{with .m}}{{.a}}{{end}}", "{{with .nope}}a{{else}}b{{end}}", "{{with .nope}}a{{else with .m}}{{.b}}{{else}}c{{end}}", "{{with $x := .m}}{{$x.b}}{{.b}}{{end}}", "{{with .m}}{{$.n}}{{end}}", "{{with .fa}}a{{else with .e}}b{{else}}c{{end}}",
	"{{range .l}}[{{.}}]{{end}}", "{{range $e := .l}}[{{$e}}]{{end}}", "{{range $i, $e := .l}}{{$i}}={{$e}};{{end}}", "{{range .el}}a{{else}}none{{end}}", "{{range .nope}}a{{else}}none{{end}}", "{{range $k, $v := .m}}{{$k}}={{$v}};{{end}}", "{{range .m}}{{.}};{{end}}", "{{range 3}}{{.}}{{end}}", "{{range $i := 3}}{{$i}}{{end}}", "{{range 0}}a{{else}}b{{end}}", "{{range -1}}a{{else}}b{{end}}", "{{range $i, $e := 3}}a{{end}}", "{{range .n}}a{{end}}", "{{range .s}}a{{end}}", "{{range .t}}a{{end}}", "{{range .f}}{{end}}", "{{range (int .n)}}{{.}},{{end}}", "{{range until 3}}{{.}}{{end}}",
	"{{range .l}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}", "{{range .l}}{{if eq . \"b\"}}{{continue}}{{end}}{{.}}{{end}}", "{{range .l}}{{range $.ln}}{{break}}{{end}}{{.}}{{end}}", "{{break}}", "{{continue}}", "{{range .l}}{{else}}{{break}}{{end}}", "{{range .l}}{{with .}}{{break}}{{end}}x{{end}}", "{{range .l}}{{break 1}}{{end}}", "{{range .el}}a{{else}}{{range .l}}{{.}}{{break}}{{end}}{{end}}",
	"{{$x := 1}}{{$x}}", "{{$x := 1}}{{$x = 2}}{{$x}}", "{{$x := 1}}{{if .t}}{{$x = 2}}{{end}}{{$x}}", "{{$x := 1}}{{if .t}}{{$x := 2}}{{end}}{{$x}}", "{{$x}}", "{{$x = 1}}", "{{if .t}}{{$x := 1}}{{end}}{{$x}}", "{{$x := .m}}{{$x.c.d}}", "{{$x := .m.c}}{{$x.d}}{{$x.nope}}", "{{$x, $y := 1}}", "{{range $i, $j, $k := .l}}{{end}}", "{{range $i, := .l}}{{end}}", "{{range $i, 1 := .l}}{{end}}", "{{$x := 1}}{{range $x = .l}}{{end}}{{$x}}", "{{$i := 0}}{{$e := 0}}{{range $i, $e = .l}}{{end}}{{$i}}{{$e}}", "{{range $i, $e = .l}}{{end}}", "{{range $e = .l}}{{end}}", "{{$x := 1}}{{$x.y}}", "{{$.n}}", "{{$.m.b}}", "{{ $x := 1 | add 2 }}{{ $x }}",
	"{{define \"a\"}}A{{.}}{{end}}{{template \"a\"}}", "{{define \"a\"}}A{{.}}{{end}}{{template \"a\" .n}}", "{{define \"a\"}}A{{$}}{{end}}{{template \"a\" 1}}", "{{template \"none\"}}", "{{template \"none\" .}}", "{{template \"none\" .m.c | print}}", "{{define \"a\"}}1{{end}}{{define \"a\"}}2{{end}}{{template \"a\"}}", "{{define \"a\"}}{{end}}{{define \"a\"}}2{{end}}{{template \"a\"}}", "{{define \"a\"}}1{{end}}{{define \"a\"}} {{/* */}} {{end}}{{template \"a\"}}", "{{block \"b\" .m}}{{.b}}{{end}}", "{{block \"b\" .m}}{{.b}}{{end}}{{template \"b\" .m}}", "{{define \"x\"}}{{.a.b.c}}{{end}}\n{{template \"x\" .m}}", "{{define \"x\"}}{{template \"y\" .}}{{end}}{{define \"y\"}}{{.nil.z}}{{end}}{{template \"x\" .}}", "{{define `r`}}R{{end}}{{template `r`}}", "{{define \"f.yaml\"}}x{{end}}", "{{if .t}}{{define \"a\"}}{{end}}{{end}}", "{{define \"a\"}}{{define \"b\"}}{{end}}{{end}}", "{{define a}}{{end}}", "{{define}}{{end}}", "{{define \"a\" .}}{{end}}", "{{template a}}", "{{template}}", "{{template \"a\" 1 2}}", "{{block \"a\"}}{{end}}", "{{block a .}}{{end}}", "{{define \"a\"}}x{{else}}{{end}}", "{{block \"a\" .}}x{{else}}{{end}}", "{{define \"a\"}}{{$x}}{{end}}{{$x := 1}}", "{{$x := 1}}{{define \"a\"}}{{$x}}{{end}}",
	"{{", "{{ ", "}}", "{{}}", "{{ }}", "{{-}}", "{{- }}", "{{/* }}", "{{/* */ }}", "{{ /* */ }}", "{{/**/}}", "{{/* a */ 1}}", "{{1 /* a */}}", "{{if}}{{end}}", "{{if .t}}", "{{if .t}}{{else}}", "{{end}}", "{{else}}", "{{if .t}}{{else}}{{else}}{{end}}", "{{if .t}}{{else with .n}}{{end}}", "{{with .t}}{{else if .n}}{{end}}", "{{range .l}}{{else if .t}}{{end}}", "{{range}}{{end}}", "{{with}}{{end}}", "{{else if}}", "{{end .}}", "{{else .}}", "{{if .t}}{{end", "{{if .t}}\n\n{{end\n", "\n\n{{nofn}}", "{{nofn 1}}", "{{ .n | nofn }}", "{{1 | 2}}", "{{1 | .n}}", "{{1 | \"a\"}}", "{{1 | nil}}", "{{1 | true}}", "{{1 | .}}", "{{.n | .s}}", "{{ | }}", "{{ .n | }}", "{{ | .n }}", "{{ .n || .s }}", "{{ 1 2 }}", "{{ \"a\" 1 }}", "{{ nil }}", "{{ nil | print }}", "{{ true 1 }}", "{{ . 1 }}", "{{ .n 1 }}", "{{ .s 1 }}", "{{ .m.a 1 }}", "{{ $ 1 }}", "{{ 1 | $ }}", "{{ (1) }}", "{{ (1 }}", "{{ 1) }}", "{{ () }}", "{{ (1) 2 }}", "{{ (.m).b }}", "{{ (.m).c.d }}", "{{ (.m.c).d }}", "{{ (.nope).x.y }}", "{{ ((.m)).b }}", "{{ (index .l 0).x }}", "{{ (dict \"a\" 1).a }}", "{{ 1.a }}", "{{ \"a\".b }}", "{{ true.a }}", "{{ nil.a }}", "{{ ..a }}", "{{ .a. }}", "{{ .1 }}", "{{ .a.1 }}", "{{ $x.1 }}", "{{ .a b }}", "{{ .n.x }}", "{{ .s.x }}", "{{ .l.x }}", "{{ .nil.x }}", "{{ .nope.x }}", "{{ .m.nope.x }}", "{{ .m.c.d.e }}", "{{ .m.c.nope.e }}", "{{ print (.nope.x) }}", "{{ print \"é☃\" (.nope.deep) }}", "{{ .t.x }}", "{{ len .nil }}", "{{ len nil }}", "{{ len .n }}", "{{ len 3 }}",
	"{{ 08 }}", "{{ 1_ }}", "{{ _1 }}", "{{ 1__0 }}", "{{ 0x }}", "{{ 0b2 }}", "{{ 0o8 }}", "{{ 017 }}", "{{ 0o17 }}", "{{ 0b101 }}", "{{ 1_000 }}", "{{ 0x_1F }}", "{{ 1.5e3 }}", "{{ 1e3 }}", "{{ 1e+3 }}", "{{ .5 }}", "{{ 5. }}", "{{ 0x1p4 }}", "{{ 0x1.8p1 }}", "{{ 1i }}", "{{ 1+2i }}", "{{ 1+2 }}", "{{ 1a }}", "{{ 9223372036854775807 }}", "{{ 9223372036854775808 }}", "{{ 18446744073709551615 }}", "{{ 99999999999999999999 }}", "{{ 1e400 }}", "{{ 1e18 }}", "{{ 1e19 }}", "{{ 123456789.0 }}", "{{ 1e-7 }}", "{{ +5 }}", "{{ --5 }}", "{{ 'ab' }}", "{{ '' }}", "{{ 'a }}", "{{ '\\'' }}", "{{ '\\x41' }}", "{{ '☃' }}", "{{ \"a }}", "{{ \"a\nb\" }}", "{{ `a }}", "{{ `a\nb` }}", "{{ \"\\q\" }}", "{{ \"\\x4\" }}", "{{ \"a\" \"b\" }}", "{{ \"a\"\"b\" }}", "{{ print\"a\" }}", "{{ print(1) }}", "{{ print(1)(2) }}", "{{ .n.m(1) }}", "{{ @ }}", "{{ # }}", "{{ ☃ }}", "{{ é }}", "{{ .é }}", "{{ $é := 1 }}{{ $é }}", "{{ a-b }}", "{{ .a-b }}", "{{ $x+1 }}", "{{ a=b }}", "{{ := }}", "{{ = }}", "{{ : }}", "{{ , }}", "{{ ; }}", "{{ \\ }}", "{{ % }}", "{{ ! }}", "{{ \x01 }}", "{{ * }}", "{{if .t }}a{{ end }} {{- /* x */}}  b", "{{ \"{{\" }}", "{{ \"}}\" }}", "a{b}c", "{ {1} }", "{{{1}}}", "{{ {1} }}", "{{`{{`}}",
	"{{and}}", "{{or}}", "{{not}}", "{{not 1 2}}", "{{and 1 0 2}}", "{{or 0 \"\" \"x\" 3}}", "{{or 1 (fail \"x\")}}", "{{and 0 (fail \"x\")}}", "{{or 0 (fail \"x\")}}", "{{0 | or 1}}", "{{5 | and 1}}", "{{0 | and 1}}", "{{1 | or .nope}}", "{{and .nope 1}}", "{{and nil 1}}", "{{or nil 1}}", "{{not nil}}", "{{eq}}", "{{eq 1}}", "{{eq 1 1}}", "{{eq 1 2 1}}", "{{eq 1 2 3}}", "{{ne 1 2 3}}", "{{eq 1 1.0}}", "{{eq 1 \"1\"}}", "{{eq .n 42}}", "{{eq .n 42.0}}", "{{eq .l .l}}", "{{eq .m .m}}", "{{eq nil nil}}", "{{eq .nil nil}}", "{{eq .nil 1}}", "{{eq 1 .nil}}", "{{eq .nope \"\"}}", "{{eq .l 1}}", "{{eq .l nil}}", "{{eq 'a' 97}}", "{{eq true .t}}", "{{lt 1 2}}", "{{lt 1 2.0}}", "{{lt \"a\" \"b\"}}", "{{lt true false}}", "{{lt .nil 1}}", "{{gt nil 1}}", "{{le 1 1}}", "{{ge 1 2}}", "{{gt .n 10}}", "{{gt .n 10.0}}", "{{lt .l .l}}", "{{index .l 1}}", "{{index .l 5}}", "{{index .l 3}}", "{{index .l -1}}", "{{index .l .zero}}", "{{index .l 1.0}}", "{{index .l \"a\"}}", "{{index .l nil}}", "{{index .m \"a\"}}", "{{index .m \"nope\"}}", "{{index .m \"c\" \"d\"}}", "{{index .m \"nope\" \"x\"}}", "{{index .m 1}}", "{{index .m nil}}", "{{index .nil 1}}", "{{index nil}}", "{{index .s 0}}", "{{index .s 99}}", "{{index .s 3}}", "{{index .n 0}}", "{{index .mix 5 \"k\"}}", "{{index .mix 4 0}}", "{{index .l}}", "{{index}}", "{{index .m \"a\" \"b\"}}", "{{call .n}}", "{{call nil}}", "{{call .nope 1}}", "{{.n | call}}", "{{call \"a\" 1}}", "{{html .html}}", "{{js .html}}", "{{urlquery .html}}", "{{html nil}}", "{{html .nil}}", "{{html 1 2}}", "{{html \"a\" \"b\"}}", "{{js \"a\\u2028b\\n\\x00é\"}}", "{{urlquery \"a b/c?d=é&f\"}}", "{{urlquery 1 \"x\"}}", "{{print}}", "{{print nil}}", "{{print nil nil}}", "{{println}}", "{{println nil 1}}", "{{printf}}", "{{printf 1}}", "{{printf .n}}", "{{printf .s}}", "{{printf nil}}", "{{printf .nil}}", "{{.nope | printf \"%s\"}}", "{{print .l .m}}", "{{print .mix}}", "{{.}}", "{{$}}",
	"{{ .m.b | upper | lower | title }}", "{{ upper .n }}", "{{ upper .nil }}", "{{ upper nil }}", "{{ upper (.nil) }}", "{{ upper 1 }}", "{{ upper true }}", "{{ upper .m }}", "{{ upper }}", "{{ upper \"a\" \"b\" }}", "{{ .nil | upper }}", "{{ .n | upper }}", "{{ 1 | upper }}", "{{ trunc \"a\" \"b\" }}", "{{ trunc .n \"abc\" }}", "{{ trunc 1.5 \"abc\" }}", "{{ trunc 2.0 \"abc\" }}", "{{ trunc 1e0 \"abc\" }}", "{{ trunc nil \"a\" }}", "{{ \"abc\" | trunc }}", "{{ hasKey .s \"a\" }}", "{{ hasKey 1 \"a\" }}", "{{ hasKey nil \"a\" }}", "{{ hasKey .nil \"a\" }}", "{{ hasKey .l \"a\" }}", "{{ fail \"boom\" }}", "{{ fail .s }}", "{{ fail 1 }}", "{{ \"x\" | fail }}", "\n\n  {{ fail \"boom\" }}", "{{ ternary 1 2 .t }}", "{{ ternary 1 2 \"x\" }}", "{{ ternary 1 2 nil }}", "{{ ternary 1 2 .nil }}", "{{ div 1 0 }}", "{{ mod 1 0 }}", "{{ first nil }}", "{{ first 1 }}", "{{ substr 1 3 \"\" }}", "{{ repeat -1 \"a\" }}", "{{ atoi 1 }}", "{{ add }}", "{{ sub 1 }}", "{{ dict 1 }}", "{{ dict }}", "{{ tuple 1 2 }}",
}

var verbs = []string{"%v", "%+v", "%#v", "%T", "%d", "%+d", "%5d", "%-5d|", "%05d", "%x", "%X", "%#x", "%o", "%#o", "%O", "%b", "%#b", "%c", "%q", "%+q", "%#q", "%U", "%#U", "%s", "%10s|", "%-10s|", "%.2s", "%10.2s|", "%x", "% x", "%# x", "%e", "%E", "%f", "%F", "%g", "%G", "%.2f", "%8.3f|", "%-8.2f|", "%08.2f", "%+.1f", "% f", "%.3g", "%.10g", "%.0f", "%t", "%z", "%!", "%w", "%5v|", "%-5v|", "%05v", "% d", "%6q|", "%.3x", "%+v|", "%08q"}

var printfs = []string{"%", "%%", "a%", "%d %d", "%d", "%[1]d", "%[2]d %[1]d", "%[3]d", "%[x]d", "%[1", "%[]d", "%*d", "%-*d|", "%.*f", "%[1]*d", "%[2]*[1]d", "%!d", "%-", "%+", "%1", "%.", "%.d", "%5.", "%6.2f|%d", "%v %v %v", "%[1]v %[1]v", "%[2]v %v", "no verbs", "%é", "%\n", "%3c|", "%-3c|", "%03s", "%.-1d", "%s%%%s"}

func languageCases(put func(any)) {
	for _, c := range constructs {
		put(run(c, ""))
		if strings.Contains(c, "nope") || strings.Contains(c, "nil") {
			put(run(c, "default"))
			put(run(c, "error"))
		}
		put(run("\nab {{- \"\" }}\n  é "+c, ""))
	}
	for _, o := range operands {
		for _, p := range []string{"{{ %s }}", "{{ if %s }}y{{ else }}n{{ end }}", "{{ with %s }}{{ . }}{{ else }}n{{ end }}", "{{ range %s }}[{{ . }}]{{ else }}n{{ end }}", "{{ range $i, $e := %s }}{{ $i }}:{{ $e }};{{ else }}n{{ end }}", "{{ $x := %s }}{{ $x }}", "{{ %s.x }}", "{{ (%s).x }}", "{{ %s | print }}", "{{ print %s }}", "{{ print %s \"a\" %[1]s 1 }}", "{{ println %s }}", "{{ len %s }}", "{{ not %s }}", "{{ and %s 1 }}", "{{ or %s 1 }}", "{{ index %s 0 }}", "{{ index %s \"a\" }}", "{{ eq %s %[1]s }}", "{{ lt %s %[1]s }}", "{{ html %s }}", "{{ js %s }}", "{{ urlquery %s }}", "{{ upper %s }}", "{{ %s | upper }}", "{{ trunc %s \"abc\" }}", "{{ trunc (%s) \"abc\" }}", "{{ hasKey %s \"a\" }}", "{{ %s | hasKey .m }}", "{{ ternary 1 2 %s }}", "{{ kindOf %s }}{{ typeOf %[1]s }}", "{{ quote %s }}{{ squote %[1]s }}", "{{ toString %s }}", "{{ toJson %s }}", "{{ int %s }} {{ int64 %[1]s }} {{ float64 %[1]s }}", "{{ default \"d\" %s }}", "{{ empty %s }}", "{{ range (%s) }}{{ break }}{{ end }}", "{{ template \"x\" %s }}{{ define \"x\" }}<{{ . }}>{{ end }}"} {
			put(run(fmt.Sprintf(p, o), ""))
		}
		for _, o2 := range []string{"1", "2.5", "\"lit\"", ".n", ".nil", ".s", "true", ".l", "(int64 7)", "nil"} {
			put(run(fmt.Sprintf("{{ eq %s %s }}", o, o2), ""))
			put(run(fmt.Sprintf("{{ gt %s %s }}", o, o2), ""))
		}
		for _, v := range verbs {
			put(run(fmt.Sprintf("{{ printf %q %s }}", v, o), ""))
		}
	}
	for _, f := range printfs {
		for _, a := range []string{"", "1", "1 2", "1.5 \"x\"", "\"a\" \"b\" \"c\"", "3 4 5 6", "nil", "-5 7"} {
			put(run(fmt.Sprintf("{{ printf %q %s }}", f, a), ""))
		}
	}
}

// As run, with Helm 3's own functions too.
func runFuzz(text string) templateCase {
	c := runHelm3(text)
	out := templateCase{Text: text, Opt: "helm", Out: c.Out, Err: c.Err}
	if strings.ToValidUTF8(c.Out, "") != c.Out {
		out.Raw, out.Out = []byte(c.Out), ""
	}
	return out
}
