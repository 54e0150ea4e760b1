package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// Scalars that mean something, nearly mean something, or need care when written.
var scalars = []string{
	"", "~", "null", "Null", "NULL", "nUll", "true", "True", "TRUE", "tRue", "false", "False", "FALSE",
	"y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "oN", "ye",
	"0", "1", "-1", "+1", "00", "07", "08", "09", "010", "0755", "-0755", "+010", "0o17", "0O17", "-0o17", "0o8",
	"0x1F", "0X1f", "-0x10", "0xg", "0b101", "0B11", "-0b11", "0b2", "1_000", "1__0", "_1", "1_", "0_", "0x_1f",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "18446744073709551616", "123456789012345678901234567890",
	"1.0", "1.5", "-1.5", "+1.5", "1.", ".5", "-.5", "+.5", ".", "-.", "1.2.3", "1e3", "1E3", "1e+3", "1e-3", "1.5e10",
	"1e", "1e400", "-1e400", "1e-400", "e3", "1e3e", ".e1", "0.1", "0.00001", "1000000", "12345678", "1e21", "1e20", "123456.789", "0x1p4",
	".inf", ".Inf", ".INF", "+.inf", "-.inf", ".nan", ".NaN", ".NAN", "inf", "nan", "NaN", "-.INF", ".iNf",
	"1:30", "12:30:45", "1:60", "1:5.5", "190:20:30", "-1:30", "1:", ":1", "2001-01-01", "2001-1-1", "2001-13-01", "2001-02-30",
	"2001-01-01T00:00:00Z", "2001-01-01t00:00:00Z", "2001-01-01 00:00:00", "2001-01-01T00:00:00+01:00", "2001-01-01T00:00:00.5Z",
	"2001-01-01T1:2:3Z", "2001-01-01 1:2:3.25", "2001-01-01T00:00Z", "2001-01-01T24:00:00Z", "20010-01-01", "2001-01", "2001-01-01T00:00:00",
	"<<", "=", "!", "&", "*", "-", "--", "---", "...", "....", "-a", "- a", "?", "? a", "?a", ":", ": a", ":a", "a:", "a: b", "a:b", "a #b", "a#b", "#a",
	"@a", "`a", "%a", "|", "|a", ">", ">a", "{", "}", "[", "]", "{}", "[]", "{a", "a}", "[a", "a]", ",", ",a", "a,b", "'a'", "\"a\"", "it's", "a\"b", "a\\b",
	" a", "a ", "  ", "a  b", "\ta", "a\tb", "a\t", "\t", "a\nb", "a\nb\n", "a\nb\n\n", "\na", "\n", "\n\n", "a\n", " a\nb", "a\n b", "a \nb", "a\n\nb", "a\r\nb", "\r", "a\rb",
	"a\n ", "a\n  \n", "  a\n  b\n", "\ta\nb", "a\n\tb\n", "a: b\nc: d\n", "- a\n- b\n", "# c\nd\n", "---\na\n", "é", "日本語", "☃", "😀", "a😀\nb", "\u00a0", "\u0085", "a\u0085b", "a \u0085 b", "a\u0085\u0085b", "\u2028", "a\u2029b", "\ufeff", "a\ufeffb", "\ufeffa", "\ufffd", "\ufffe", "\uffff", "\u0000", "\u0001", "\u0007\u0008\u000b\u000c\u001b", "\u007f", "\u0080", "\u009f", "\ue000", "\u0600",
	"10Gi", "100m", "1,000", "v1.2.3", "1.2.3-rc.1", "a/b", "http://a.b/c?d=e&f=g#h", "$(VAR)", "{{ .Values.x }}", "a=b", "key=val,k2=v2", "*.example.com", "!ref", "<a>&</a>", "a|b", "a>b", "%", "50%", "~a", "a~", "0.0.0.0", "1.1", "10.0.0.1/8", "::1", "fe80::1", "sha256:abc", "00:11:22:33:44:55",
	strings.Repeat("a", 79), strings.Repeat("a", 200), strings.Repeat("word ", 15) + "end", strings.Repeat("word ", 16) + "end", strings.Repeat("word ", 17) + "end", strings.Repeat("word ", 40) + "end",
	strings.Repeat("word  ", 30) + "end", "'" + strings.Repeat("word ", 30) + "end", "\"" + strings.Repeat("word ", 30) + "it's\tend", strings.Repeat("x", 100) + " tail", strings.Repeat("x", 81) + "  tail: of", "a: " + strings.Repeat("é ", 60), strings.Repeat("日本 ", 40), "\t" + strings.Repeat("word  ", 30),
	strings.Repeat("long line of text ", 10) + "\n" + strings.Repeat("second ", 20), "yes " + strings.Repeat("no ", 40) + "#", "1e3 " + strings.Repeat("0 ", 50),
}

// Documents: structure, errors, anchors, tags.
var documents = []string{
	"a: 1\nb: 2\n", "a:\n  b:\n    c: 1\n", "a:\n- 1\n- 2\n", "a:\n  - 1\n  - 2\n", "- a\n- - b\n  - c\n", "- a: 1\n  b: 2\n- c\n", "{a: 1, b: [2, 3], c: {d: e}}", "[a, [b, c], {d: e}]", "[a, b: c]", "{a, b}", "{a: , b: }", "{}", "[]", "a: {}\nb: []\n",
	"# comment\na: 1 # more\n# end\n", "---\na: 1\n", "---\na: 1\n---\nb: 2\n", "a: 1\n...\nb: 2\n", "---\n", "--- a\n", "---\n---\na: 1\n", "...\n", "\n\n", "# only\n", "%YAML 1.1\n---\na: 1\n", "%YAML 1.2\n---\na: 1\n", "%YAML 2.0\n---\na: 1\n", "%TAG ! tag:x,2000:\n---\n!foo a\n", "%FOO bar\n---\na\n",
	"y: 1\nn: 2\non: 3\noff: 4\nyes: 5\nno: 6\n", "1: a\n2: b\n", "1.5: a\n1e3: b\n0x10: c\n010: d\n", "true: a\n\"true\": b\n", "~: a\n", "null: a\n", ": a\n", "? a\n: b\n", "? [a]\n: b\n", "? {a: b}\n: c\n", "? |\n  multi\n  line\n: v\n", "2001-01-01: d\n", ".inf: a\n.nan: b\n-.inf: c\n", "18446744073709551615: a\n", "-1: a\n1_000: b\n",
	"a: 1\na: 2\n", "a: 1\nb: 2\na: 3\n", "a: &x 1\nb: *x\n", "a: &x {b: 1}\nc: *x\n", "a: &x [1, 2]\nb: *x\nc: *x\n", "a: &x\n  b: 1\nc:\n  <<: *x\n  d: 2\n", "a: &x {b: 1, c: 2}\nd:\n  c: 3\n  <<: *x\n", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", "- &a {x: 1}\n- &b {x: 2, y: 3}\n- <<: [*a, *b]\n  z: 4\n", "- &a {x: 1}\n- &b {x: 2, y: 3}\n- <<: [*b, *a]\n", "<<: {a: 1}\nb: 2\n", "<<: [{a: 1}, {a: 2, c: 3}]\nb: 2\n", "<<: 1\n", "<<: [1]\n", "a: &x 1\nb: {<<: *x}\n", "<<: null\n", "'<<': {a: 1}\n", "a: &x [1]\nb: {<<: *x}\n", "a: &x [{c: 1}]\nb: {<<: *x}\n", "a: *nope\n", "a: &x [*x]\n", "&x a: *x\n", "a: &x\nb: *x\n", "a: &x 1\nb: &x 2\nc: *x\n", "&a a: b\n*a : c\n", "x: &k 1\n*k : v\n", "x: &k true\n*k : v\n",
	"!!str 1", "!!str true", "!!int \"1\"", "!!int 1.5", "!!int abc", "!!float 1", "!!float 1.5", "!!float abc", "!!float 0x10", "!!bool yes", "!!bool abc", "!!bool 1", "!!null ''", "!!null a", "!!binary aGVsbG8=", "!!binary 'aGVs\n  bG8='", "!!binary \"!!!\"", "!!binary //79", "!foo bar", "!foo {a: 1}", "!foo [1]", "!!set {a, b}", "!!omap [a: 1]", "!!timestamp 2001-01-01", "!!timestamp abc", "! a", "! 1", "!<tag:yaml.org,2002:str> 1", "!!seq {a: 1}", "!!map [1]", "!!str [1]", "!!int 1_000", "!!int 0b11", "!!float .inf", "!!str 2001-01-01", "!!int 2001-01-01", "!!unknown a", "a: !!str\nb: 1\n", "a: !!null\n", "!!str ~: a", "!!merge <<: {a: 1}",
	"a: |\n  x\n  y\n", "a: |-\n  x\n  y\n", "a: |+\n  x\n\n\n", "a: >\n  x\n  y\n\n  z\n", "a: >-\n  x\n   more\n  y\n", "a: |2\n    x\n   y\n", "a: |1\n x\n", "a: |0\n x\n", "a: |\n\n  x\n", "a: |\n", "a: |-\nb: 1\n", "a: >+\n\n", "a: |\n  x\n y\n", "a: | # c\n  x\n", "a: |x\n  y\n", "a: |\n\tx\n", "a: |\n  x\n\ty\n", "- |\n a\n- >\n b\n", "|\n top\n", "a: |\r\n  x\r\n  y\r\n",
	"a: 'x\n  y'\n", "a: \"x\n  y\"\n", "a: \"x\\\n  y\"\n", "a: 'it''s'\n", "a: \"\\x41\\u00e9\\U0001F600\\t\\n\\0\\e\\N\\_\\L\\P\\/\"\n", "a: \"\\q\"\n", "a: \"\\x4\"\n", "a: \"\\ud83d\"\n", "a: 'x\n", "a: \"x\n", "a: x\n  y\n  z\n", "a: x\n y: z\n", "a: b: c\n", "a:\n  b\n c\n", "a\nb: c\n", "a: [1, 2\n", "a: {b: 1\n", "a: [1, 2}\n", "a: 1]\n", "a: }\n", "]\n", "}\n", "a: ,\n", "[,]\n", "[a,,b]\n", "{,}\n", "[a, ]\n", "{a: 1, }\n", "a: @b\n", "a: `b\n", "a: %b\n", "%b\n", "a: *\n", "a: &\n", "a: & b\n", "a: !\n", "a: -\n", "a: - b\n", "-\n", "- \n-\n", "-a\n", "- a\nb\n", "- a\nb: c\n", "a: b\n- c\n", "a:\n b: 1\n  c: 2\n", "a:\n  b: 1\n c: 2\n", " a: 1\nb: 2\n", "\ta: 1\n", "a:\n\tb: 1\n", "a:\tb\n", "a: \tb\n", "a: b\t\n", "a : b\n", "a :b\n", "a:b\n", "a:\n", "a: #c\n", "a: b#c\n", "a: b #c\n", "'a': b\n", "\"a\": b\n", "\"a\":b\n", "{\"a\":b}\n", "{a:b}\n", "{a: b, c}\n", "{a: b c: d}\n", "[a: b, c: d]\n", "[? a : b]\n", "{? a : b}\n", "{: b}\n", "a: b: \n", "? a\n", "? a\n? b\n", "?\n", ":\n", "- - - a\n", "- ? a\n  : b\n", "a: [\n  b,\n  c\n]\n", "a: {\n  b: 1,\n  c: 2\n}\n", "a: [\nb\n]\n", "[a\n, b]\n", "a: \"b\" c\n", "a: 'b' c\n", "a: [b] c\n", "a: {b: c} d\n", "--- |\n a\n", "--- >-\n a\n b\n", "a\n---\nb\n", "a: 1\n---\n[\n", "\ufeffa: 1\n", "a: \ufeffb\n", "\ufeff# c\n", "a: b\u0000c\n", "a: \u0001\n", "a: \u007f\n", "a: \u0085b\n", "a: b\u2028c\n", "a: \ufffe\n", "\xff", "a: \xc3\x28\n", "a: \xe2\x82\n", "a: \xed\xa0\x80\n", "\xfe\xff\x00a", "\xff\xfea\x00:\x00 \x001\x00\n\x00", "a: \"\\", "a: \"\\u12", "...\na: 1\n", "a: 1\n... \n", "---a\n", "--- {a: 1}\n", "--- [a]\n---\n", "a:\n- b\n-c\n", "a:\n- b\n - c\n", "a: 'b'\n 'c'\n", "*a", "&a", "&a &b c", "!!str !!int 1", "&a !!str 1", "!!str &a 1", "[&a 1, *a]", "{&a b: *a}", "- &a\n- *a\n", strings.Repeat("a", 1030) + ": b\n", "? " + strings.Repeat("a", 1030) + "\n: b\n", "\"" + strings.Repeat("a", 1030) + "\": b\n", strings.Repeat("a", 1000) + ": b\n", "a: " + strings.Repeat("b ", 600) + ": c\n", strings.Repeat("[", 50) + strings.Repeat("]", 50), strings.Repeat("- ", 60) + "a\n",
	"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  labels: {a: b}\ndata:\n  f: |\n    l1\n    l2\n", "image:\n  tag: 1.10\n  pullPolicy:\nreplicas: 3\nport: 8080\nbig: 1000000\nmode: 0644\n", "a: 1\r\nb: 2\r\n", "a: x\\y\n", "a: \\n\n", "a: $x\n", "- !!binary\n", "a: 0o\nb: 0x\nc: 0b\nd: +\ne: -\n", "- 1_0.5\n- 1.5_0\n- ._5\n- 5._\n", "-  a\n-   b\n", "a:   b\n", "a: b   \n", "a: |\n  x   \n  y\n", "a: >\n  x\n\n\n  y\n", "a: >\n    x\n  y\n", "a: \"x\n\n  y\"\n", "a: 'x\n\n\n  y'\n", "a: x\n\n  y\n", "a: x # y\n  z\n", "a: [x # c\n, y]\n", "[\"a\", 'b']", "[\"a\" 'b']", "{\"a\": 'b', 'c': \"d\"}", "a: !!map\n  b: 1\n", "a: &m\n  b: 1\n", "a:\n  &m\n  b: 1\n", "a: &m b: 1\n", "&m\na: 1\n", "a: - \n", "a: ?\n", "a: ? b\n", "a: :\n", "a: :b\n", "- :\n", "- ?\n", "- ? \n", "- a: \n", "-\ta\n", "- \ta\n", "?\ta\n", "a:\n    - b\n    - c:\n        d\n",
}

type readCase struct {
	In     string `json:"in"`
	Bytes  []byte `json:"bytes,omitempty"`
	Out    string `json:"out,omitempty"`
	Map    string `json:"map,omitempty"`
	Strict string `json:"strict,omitempty"`
	Err    string `json:"err,omitempty"`
}

func readYAML(in string) readCase {
	c := readCase{In: in}
	if strings.ToValidUTF8(in, "") != in {
		c.In, c.Bytes = "", []byte(in)
	}
	var v any
	if err := yaml.Unmarshal([]byte(in), &v); err != nil {
		c.Err = err.Error()
		return c
	}
	b, _ := json.Marshal(v)
	c.Out = string(b)
	m := map[string]any{}
	if err := yaml.Unmarshal([]byte(in), &m); err != nil {
		c.Map = err.Error()
	}
	if err := yaml.UnmarshalStrict([]byte(in), &v); err != nil {
		c.Strict = err.Error()
	}
	return c
}

type writeCase struct {
	JSON   string `json:"json"`
	Out    string `json:"out,omitempty"`
	Err    string `json:"err,omitempty"`
	Pretty string `json:"pretty,omitempty"`
}

func writeYAML(v any) writeCase {
	j, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	c := writeCase{JSON: string(j)}
	var back any
	if err := json.Unmarshal(j, &back); err != nil {
		panic(err)
	}
	out, err := yaml.Marshal(back)
	if err != nil {
		c.Err = err.Error()
	}
	c.Out = string(out)
	var buf bytes.Buffer
	enc := yaml3.NewEncoder(&buf)
	enc.SetIndent(2)
	if enc.Encode(back) == nil {
		c.Pretty = buf.String()
	}
	return c
}

func yamlCases(read, write func(any)) {
	for _, s := range scalars {
		read(readYAML(s))
		read(readYAML("a: " + s))
		read(readYAML("- " + s + "\n- b"))
		if !strings.ContainsAny(s, "\n") {
			read(readYAML(s + ": v"))
			read(readYAML("[" + s + ", x]"))
			read(readYAML("{k: " + s + "}"))
			read(readYAML("'" + s + "'"))
		}
		write(writeYAML(s))
		write(writeYAML(map[string]any{"k": s}))
		write(writeYAML(map[string]any{s: "v"}))
		write(writeYAML([]any{s, map[string]any{"a": s, "b": []any{s}}}))
	}
	for _, d := range documents {
		read(readYAML(d))
		read(readYAML("k:\n  " + strings.ReplaceAll(d, "\n", "\n  ")))
	}
	any1 := map[string]any{"a": 1.0, "b": []any{"x", map[string]any{"c": nil, "d": true}}, "e": map[string]any{}, "f": []any{}}
	for _, v := range []any{nil, true, false, 0.0, 1.0, -1.0, 1.5, 1e6, 1e20, 1e21, 1e22, 0.1, 0.00001, 1e-7, 12345678.0, 1234567.5, 9007199254740993.0, 9223372036854775807.0, 18446744073709551615.0, -9223372036854775808.0, 1e300, -0.0, 123456789012.25,
		any1, []any{any1, []any{any1}}, map[string]any{"x": any1, "y": map[string]any{"z": any1}}, []any{[]any{[]any{1.0}, 2.0}, []any{}}, []any{nil, true, 1.5, "s"}, map[string]any{"": "", " ": " "}, []any{map[string]any{"a": map[string]any{"b": []any{1.0, 2.0}}, "c": "multi\nline\n"}}, []any{"multi\nline", "x"}, []any{[]any{"multi\nline\n"}},
	} {
		write(writeYAML(v))
		write(writeYAML(map[string]any{"k": v, "l": []any{v, v}}))
	}
	keys := [][]string{{"a", "B", "b", "A"}, {"a1", "a10", "a2", "a01", "a001"}, {"1", "10", "9", "a", "_"}, {"a-b", "a.b", "a_b", "ab", "a b", "a/b"}, {"é", "e", "z", "ê"}, {"x1y", "x1.y", "x1-y", "x10"}, {"v1", "v1beta1", "v1alpha1", "v2"}, {"a0", "a00", "a"}, {"k8s.io/x", "k8s.io-x", "k8s"}, {"-", "--", "-a"}, {"A1", "a1", "A"}}
	for _, ks := range keys {
		m := map[string]any{}
		for i, k := range ks {
			m[k] = float64(i)
		}
		write(writeYAML(m))
	}
	for _, n := range []int{50, 127, 128, 129, 500, 1021, 1022, 1023, 1024, 1025, 2000} {
		k := strings.Repeat("k", n)
		write(writeYAML(map[string]any{k: "v"}))
		write(writeYAML(map[string]any{k: map[string]any{"a": "b"}}))
		write(writeYAML(map[string]any{k: []any{"a", "b"}}))
	}
	// Every printable ASCII character alone, first, last and between.
	for c := rune(0x20); c < 0x7f; c++ {
		s := fmt.Sprintf("%c", c)
		for _, t := range []string{s, s + "a", "a" + s, "a" + s + "b", "a " + s + " b", s + " a"} {
			write(writeYAML(map[string]any{"k": t}))
		}
		read(readYAML("k: " + s))
		read(readYAML("k: " + s + "a"))
		read(readYAML("k: a" + s))
		read(readYAML("k: a " + s + " b"))
	}
}
