package main

import (
	"fmt"
	"math/rand"
	"strconv"
	"strings"
)

// What functions take and give, for templates that mostly make sense: s string, i int, f float, b bool, l list, d
// dict, a anything, v a value of the data.
var signatures = map[byte][]string{
	's': {"upper s", "lower s", "title s", "trim s", "quote a", "squote a", "toString a", "printf \"%v\" a", "printf \"%s-%d\" s i", "printf \"%q\" s", "printf \"%5.2f\" f", "print a a", "println a", "repeat i3 s", "substr i3 i s", "trunc i s", "nospace s", "initials s", "replace s s s", "indent i3 s", "nindent i3 s", "trimSuffix s s", "trimPrefix s s", "trimAll s s", "cat a a", "join s l", "toJson a", "toYaml a", "toYamlPretty a", "toToml d", "b64enc s", "sha256sum s", "camelcase s", "kebabcase s", "snakecase s", "swapcase s", "untitle s", "abbrev i s", "wrap i s", "plural s s i", "default s v", "ternary s s b", "typeOf a", "kindOf a", "base s", "dir s", "clean s", "ext s", "regexReplaceAll \"[a-c]+\" s s", "regexFind \"[a-z]+\" s", "html a", "js s", "urlquery s", "toRawJson a", "toPrettyJson a", "adler32sum s", "required s s", "tpl s .", "include \"d1\" a", "first (splitList s s)", "coalesce v s", "wrapWith i s s", "abbrevboth i i s", "seq i3 i3", "b32enc s"},
	'i': {"int v", "int64 v", "len l", "len s", "len d", "add i i", "sub i i", "mul i i", "div i i", "mod i i", "max i i", "min i i", "add1 i", "atoi s", "toDecimal i", "int f", "int s"},
	'f': {"float64 v", "addf f f", "subf f f", "mulf f f", "divf f f", "round f i3", "ceil f", "floor f", "maxf f f", "minf f f", "float64 s"},
	'b': {"eq i i", "eq s s", "ne s s", "lt i i", "gt f f", "le i i", "ge s s", "not a", "and a a", "or a a", "contains s s", "hasPrefix s s", "hasSuffix s s", "hasKey d s", "has a l", "empty a", "kindIs \"map\" a", "typeIs \"string\" a", "deepEqual a a", "regexMatch \"^[a-z]+$\" s", "all a a", "any a a", "isAbs s", "eq a a", "semverCompare \">=1.2\" \"1.3.0\""},
	'l': {"list a a a", "until i3", "untilStep i3 i i3", "splitList s s", "append l a", "prepend l a", "concat l l", "rest l", "initial l", "reverse l", "uniq l", "without l a", "compact l", "slice l i3 i", "sortAlpha l", "keys d1", "pluck s d d", "tuple a a", "list", "fromJsonArray \"[1,2.5,\\\"x\\\"]\"", "fromYamlArray \"- a\\n- 1\"", "chunk i3 l", "toStrings l", "regexFindAll \"[a-z]\" s i", "regexSplit \"a\" s i", "mustSlice l i i"},
	'd': {"dict s a s a", "dict", "merge d d", "mergeOverwrite d d", "pick d s s", "omit d s", "set d s s", "unset d s", "deepCopy d", "fromJson \"{\\\"a\\\":1}\"", "fromYaml \"a: 1\\nb: [x]\"", "split s s", "splitn s i s", "urlParse s", "dict \"a\" (dict \"b\" a)"},
}

var leaves = map[byte][]string{
	's': {`""`, `"a"`, `"abc"`, `"b,c"`, `" x "`, "`r\\n`", `"\n"`, `"é☃"`, `"a: b"`, `"1.2.3"`, `"10"`, `"-"`, ".s", ".u", ".e", ".m.b", ".m.c.d", "$s"},
	'i': {"0", "1", "2", "-1", "7", "100", "0x1F", "'a'", "(int .n)", "(int64 5)", "(len .l)", "$i"},
	'f': {"1.5", "0.1", "-2.5", "1e3", "1e21", ".f", ".n", ".big", "3.0"},
	'b': {"true", "false", ".t", ".fa"},
	'l': {".l", ".ln", ".mix", ".el", "(list 1 2 3)", "(list)", "$l"},
	'd': {".m", ".em", ".m.c", "(dict \"k\" 1)", "(dict)", "$d"},
	'v': {".n", ".s", ".nil", ".nope", ".l", ".m", ".t", ".f", ".m.nope", ".m.a", ".zero"},
}

type maker struct{ r *rand.Rand }

func (m *maker) pick(from []string) string { return from[m.r.Intn(len(from))] }

// A leaf; a field is mostly looked up in the chart's values, whatever the dot is.
func (m *maker) leaf(kind byte) string {
	leaf := m.pick(leaves[kind])
	if m.r.Intn(12) == 0 {
		return leaf
	}
	leaf = strings.ReplaceAll(leaf, " .", " $.Values.")
	if strings.HasPrefix(leaf, ".") {
		leaf = "$.Values" + leaf
	}
	return leaf
}

func (m *maker) operand(kind byte, depth int) string {
	if kind == 'a' {
		kind = "siifblldv"[m.r.Intn(9)]
	}
	// Now and then something of another kind.
	if m.r.Intn(25) == 0 {
		kind = "sifbldv"[m.r.Intn(7)]
	}
	if _, ok := signatures[kind]; !ok || depth <= 0 || m.r.Intn(3) == 0 {
		return m.leaf(kind)
	}
	return "(" + m.call(kind, depth-1) + ")"
}

func (m *maker) call(kind byte, depth int) string {
	if _, ok := signatures[kind]; !ok {
		return m.leaf(kind)
	}
	words := strings.Fields(m.pick(signatures[kind]))
	if strings.Contains(strings.Join(words, " "), `"`) {
		words = splitQuoted(strings.Join(words, " "))
	}
	out := []string{words[0]}
	for _, w := range words[1:] {
		switch {
		case w == "i3":
			out = append(out, strconv.Itoa(m.r.Intn(6)-1))
		case w == "d1":
			out = append(out, m.pick([]string{`(dict "a" 1)`, `(dict "zz" 2)`, "(dict)"}))
		case len(w) == 1 && strings.Contains("sifbldav", w):
			out = append(out, m.operand(w[0], depth))
		default:
			out = append(out, w)
		}
	}
	if m.r.Intn(60) == 0 && len(out) > 1 {
		out = out[:len(out)-1]
	}
	return strings.Join(out, " ")
}

// Splits at spaces outside of quotes and parentheses.
func splitQuoted(s string) []string {
	var out []string
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case quoted:
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case s[i] == ' ' && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func (m *maker) pipeline(kind byte, depth int) string {
	p := m.call(kind, depth)
	for m.r.Intn(4) == 0 {
		p += " | " + m.pick([]string{"quote", "toJson", "toYaml", "default 1", "upper", "len", "toString", "nindent 2", "trim", "int", "empty", "b64enc", "list", "typeOf", "first", "dict \"k\"", "printf \"%v\"", "required \"r\"", "ternary 1 2", "join \"-\""})
	}
	return p
}

var texts = []string{"", "x", " ", "\n", "  a\n", "é", "- b: ", "\n\n  ", "}}", "{ {", "\t", "key: value\n"}

func (m *maker) action(inner string) string {
	left, right := "{{ ", " }}"
	if m.r.Intn(3) == 0 {
		left = "{{- "
	}
	if m.r.Intn(4) == 0 {
		right = " -}}"
	}
	return left + inner + right
}

func (m *maker) body(depth int, loop bool) string {
	var b strings.Builder
	for n := m.r.Intn(3) + 1; n > 0; n-- {
		b.WriteString(m.pick(texts))
		b.WriteString(m.statement(depth, loop))
	}
	return b.String() + m.pick(texts)
}

func (m *maker) statement(depth int, loop bool) string {
	kinds := "sifbldsss"
	kind := kinds[m.r.Intn(len(kinds))]
	if depth <= 0 {
		return m.action(m.pipeline(kind, 2))
	}
	end := m.action("end")
	switch m.r.Intn(14) {
	case 0, 1:
		s := m.action("if "+m.pipeline('b', 2)) + m.body(depth-1, loop)
		if m.r.Intn(2) == 0 {
			s += m.action("else if "+m.pipeline('b', 1)) + m.body(depth-1, loop)
		}
		if m.r.Intn(2) == 0 {
			s += m.action("else") + m.body(depth-1, loop)
		}
		return s + end
	case 2:
		s := m.action("range "+m.operand('l', 2)) + m.body(depth-1, true)
		if m.r.Intn(3) == 0 {
			s += m.action("else") + m.body(depth-1, loop)
		}
		return s + end
	case 3:
		return m.action("range $k, $v := "+m.operand("ld"[m.r.Intn(2)], 2)) + "{{ $k }}={{ $v }};" + m.body(depth-1, true) + end
	case 4:
		s := m.action("with "+m.pipeline(kind, 2)) + "{{ . }}"
		if m.r.Intn(3) == 0 {
			s += m.action("else with "+m.operand('v', 1)) + "{{ . }}"
		}
		if m.r.Intn(3) == 0 {
			s += m.action("else") + m.body(depth-1, loop)
		}
		return s + end
	case 5:
		return m.action("$" + m.pick([]string{"s", "i", "l", "d"}) + m.pick([]string{" := ", " = "}) + m.pipeline(kind, 2))
	case 6:
		if loop {
			return "{{ if " + m.operand('b', 1) + " }}{{ " + m.pick([]string{"break", "continue"}) + " }}{{ end }}"
		}
		return "{{/* c */}}"
	case 7:
		return m.action("template " + m.pick([]string{`"d1"`, `"d2"`, `"none"`}) + " " + m.operand('a', 1))
	case 8:
		return m.action("range $i, $e := "+m.operand('l', 1)) + "{{ $i }}{{ $e }}" + end
	default:
		return m.action(m.pipeline(kind, 3))
	}
}

func (m *maker) template() string {
	t := `{{ define "d1" }}<{{ . }}>{{ end }}{{ define "d2" }}{{ range . }}[{{ . }}]{{ else }}none{{ end }}{{ end }}{{ $s := "var" }}{{ $i := 3 }}{{ $l := list 1 "b" }}{{ $d := dict "x" 1 }}`
	t += m.body(m.r.Intn(3), false)
	// A small change anywhere shows what the parser says.
	if m.r.Intn(12) == 0 {
		at := m.r.Intn(len(t))
		t = t[:at] + m.pick([]string{"", "{{", "}}", "\"", "(", ")", "|", ".", "$", " ", "-", "end", ":=", ",", "\n"}) + t[min(at+m.r.Intn(3), len(t)):]
	}
	return t
}

// Random YAML: documents of the vectors, cut, joined, and with marks put anywhere.
func (m *maker) yaml() string {
	marks := []string{"", " ", "  ", "\n", "\n  ", "- ", ": ", ":", "? ", "[", "]", "{", "}", ",", ", ", "'", "\"", "#", " #", "&a ", "*a", "!!str ", "!x ", "|", ">", "|-\n", ">+\n", "\t", "---", "...", "\n---\n", "%", "<<: ", "a", "b: c", "0", "~", "é", "\\", "\r\n", "\u2028", "@", "`"}
	s := m.pick(documents)
	for n := m.r.Intn(4); n > 0; n-- {
		switch m.r.Intn(4) {
		case 0:
			s += m.pick(documents)
		case 1:
			at := m.r.Intn(len(s) + 1)
			s = s[:at] + m.pick(marks) + s[at:]
		case 2:
			if len(s) > 0 {
				at := m.r.Intn(len(s))
				s = s[:at] + s[min(len(s), at+1+m.r.Intn(3)):]
			}
		case 3:
			s = "k:\n  " + strings.ReplaceAll(s, "\n", "\n  ") + "\nz: " + m.pick(scalars)
		}
	}
	if len(s) > 2000 {
		s = s[:2000]
	}
	return s
}

func (m *maker) value(depth int) any {
	switch n := m.r.Intn(12); {
	case depth > 0 && n < 3:
		out := map[string]any{}
		for i := m.r.Intn(5); i > 0; i-- {
			out[m.text()] = m.value(depth - 1)
		}
		return out
	case depth > 0 && n < 5:
		out := []any{}
		for i := m.r.Intn(4); i > 0; i-- {
			out = append(out, m.value(depth-1))
		}
		return out
	case n < 9:
		return m.text()
	case n == 9:
		return m.r.NormFloat64() * []float64{1, 1e3, 1e9, 1e22, 1e-6}[m.r.Intn(5)]
	case n == 10:
		return float64(m.r.Intn(100000))
	default:
		return []any{nil, true, false}[m.r.Intn(3)]
	}
}

func (m *maker) text() string {
	s := m.pick(scalars)
	for m.r.Intn(3) == 0 {
		s += m.pick([]string{" ", "\n", ": ", "#", "a", "-", "'", "\"", "word ", "\t", "é", "0", ".", ","}) + m.pick(scalars)
	}
	if len(s) > 400 {
		s = s[:400]
		s = strings.ToValidUTF8(s, "")
	}
	return s
}

// Keys whose order go-yaml leaves to chance are not compared.
func settled(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 2 {
			return false
		}
		for _, e := range v {
			if !settled(e) {
				return false
			}
		}
	case []any:
		for _, e := range v {
			if !settled(e) {
				return false
			}
		}
	}
	return true
}

// Makes random cases and writes them with the real answers.
func fuzz(seed, count, dir string) {
	s, _ := strconv.ParseInt(seed, 10, 64)
	n, _ := strconv.Atoi(count)
	m := &maker{rand.New(rand.NewSource(s))}
	language, read, write := open(dir, "template.jsonl"), open(dir, "read.jsonl"), open(dir, "write.jsonl")
	for i := 0; i < n; i++ {
		language.put(runFuzz(m.template()))
		if i%2 == 0 {
			func() {
				text := m.yaml()
				// go-yaml itself panics now and then.
				defer func() {
					if r := recover(); r != nil {
						fmt.Println("go-yaml panics:", strconv.Quote(text), r)
					}
				}()
				read.put(readYAML(text))
			}()
			if v := m.value(3); settled(v) {
				write.put(writeYAML(v))
			}
		}
	}
	language.close()
	read.close()
	write.close()
}
