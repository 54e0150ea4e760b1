package main

import (
	"bytes"
	"os"
	"sort"
	"text/template"
	_ "unsafe"

	"github.com/Masterminds/sprig/v3"
	chart3 "helm.sh/helm/v3/pkg/chart"
	chartutil3 "helm.sh/helm/v3/pkg/chartutil"
	engine3 "helm.sh/helm/v3/pkg/engine"
	_ "helm.sh/helm/v4/pkg/engine"
)

//go:linkname funcMap3 helm.sh/helm/v3/pkg/engine.funcMap
func funcMap3() template.FuncMap

//go:linkname funcMap4 helm.sh/helm/v4/pkg/engine.funcMap
func funcMap4() template.FuncMap

// Names of functions: of Go's own, of Sprig, and of what Helm 3 and Helm 4 give to charts.
func names() map[string][]string {
	builtin := []string{"and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf", "println", "slice", "urlquery"}
	out := map[string][]string{"go": builtin}
	for key, table := range map[string]template.FuncMap{"sprig": sprig.TxtFuncMap(), "3": funcMap3(), "4": funcMap4()} {
		for name := range table {
			out[key] = append(out[key], name)
		}
		sort.Strings(out[key])
	}
	return out
}

// What every chart of these vectors defines beside its template.
var definitions = func() string {
	b, err := os.ReadFile("../../../fixtures/compat/template/definitions.tpl")
	if err != nil {
		panic(err)
	}
	return string(b)
}()

type helmCase struct {
	Text string `json:"t"`
	Helm int    `json:"helm"`
	Out  string `json:"out"`
	Err  string `json:"err,omitempty"`
}

// Renders with Helm 3's engine, whose errors are Go's own.
func runHelm3(text string) helmCase {
	c := &chart3.Chart{Metadata: &chart3.Metadata{Name: "c", Version: "0.1.0"}, Templates: []*chart3.File{
		{Name: "templates/t.yaml", Data: []byte(text)}, {Name: "templates/_h.tpl", Data: []byte(definitions)}}}
	v := chartutil3.Values{"Values": chartutil3.Values(data()), "Chart": c.Metadata, "Release": map[string]any{}, "Capabilities": chartutil3.DefaultCapabilities}
	out, err := engine3.Engine{EnableDNS: true}.Render(c, v)
	r := helmCase{Text: text, Helm: 3, Out: out["c/templates/t.yaml"]}
	if err != nil {
		r.Out, r.Err = "", err.Error()
	}
	return r
}

// Executes with Helm 4's functions but without its way to print errors.
func runHelm4(text string) helmCase {
	r := helmCase{Text: text, Helm: 4}
	t, err := template.New("gotpl").Funcs(funcMap4()).Option("missingkey=zero").New("f.yaml").Parse(text)
	if err != nil {
		r.Err = err.Error()
		return r
	}
	var b bytes.Buffer
	if err := t.Execute(&b, map[string]any{"Values": data()}); err != nil {
		r.Err = err.Error()
	} else {
		r.Out = b.String()
	}
	return r
}

var helmTexts = []string{
	// include, template, tpl
	"{{ include \"a\" 1 }}", "{{ include \"a\" .Values.m }}", "{{ include \"a\" nil }}", "{{ include \"b\" (dict \"x\" 2) }}", "{{ include \"b\" .Values }}", "{{ include \"none\" . }}", "{{ include \"a\" }}", "{{ include }}", "{{ include 1 . }}", "{{ include .Values.nil . }}", "{{ include \"bad\" . }}", "a\n {{ include \"deep\" . }}", "{{ include \"self\" . }}", "{{ include \"a\" . | len | lt 3 }}", "{{ \"x\" | include \"a\" }}", "{{ include \"dict\" .Values | fromYaml }}", "{{ (include \"dict\" .Values | fromYaml).b }}", "{{ template \"none\" . }}", "{{ template \"a\" }}", "{{ template \"bad\" . }}", "{{ define \"z\" }}Z{{ end }}{{ include \"z\" . }}", "{{ include \"c/templates/_h.tpl\" . | quote }}", "{{ include (print \"a\") 3 | upper | nindent 2 }}",
	"{{ tpl \"x{{ .Values.n }}y\" . }}", "{{ tpl \"\" . }}", "{{ tpl \"{{ .nope }}\" (dict) | quote }}", "{{ tpl \"{{ .nope.deep }}\" (dict) }}", "{{ tpl \"{{ nope }}\" . }}", "{{ tpl \"{{ if }}\" . }}", "{{ tpl \"{{ include \\\"a\\\" 7 }}\" . }}", "{{ tpl \"{{ define \\\"zz\\\" }}in{{ end }}{{ include \\\"zz\\\" . }}\" . }}", "{{ $x := tpl \"{{ define \\\"zz\\\" }}in{{ end }}\" . }}{{ include \"zz\" . }}", "{{ tpl \"{{ define \\\"a\\\" }}other{{ end }}{{ include \\\"a\\\" . }}\" . }}{{ include \"a\" 1 }}", "{{ tpl \"{{ tpl \\\"{{ .s }}\\\" . }}\" .Values }}", "{{ tpl .Values.n . }}", "{{ tpl \"{{ $x }}\" . }}", "{{ tpl \"a{{ fail \\\"boom\\\" }}\" . }}", "{{ tpl \"{{ required \\\"need\\\" .nope }}\" . }}", "{{ tpl \"{{/* c */}}\" . | quote }}", "{{ tpl \"{{ template \\\"gotpl\\\" . }}\" . | quote }}", "{{ tpl \"{{ .Template.Name }}\" . }}", "{{ tpl \"\\n\\n  {{ .Values.nope.x }}\" . }}", "{{ tpl \"{{ include \\\"bad\\\" . }}\" . }}", "{{ tpl (toYaml (dict \"k\" \"{{ .Values.s }}\")) . }}", "{{ tpl \"<no value>\" . | quote }}", "{{ tpl \"{{ break }}\" . }}", "{{ tpl \"{{ range $i, $e := .Values.l }}{{ $i }}{{ $e }}{{ end }}\" $ }}", "{{ range .Values.l }}{{ tpl \"<{{ . }}>\" . }}{{ end }}",
	// required, fail, lookup, names of hosts
	"{{ required \"need it\" .Values.nope }}", "{{ required \"need it\" \"\" }}", "{{ required \"need it\" 0 }}", "{{ required \"need it\" false }}", "{{ required \"need it\" .Values.el }}", "{{ required \"x\" .Values.s }}", "{{ required \"x\" nil }}", "{{ required }}", "{{ required \"x\" }}", "{{ required 1 2 }}", "{{ .Values.nope | required \"a: b: c\" }}", "{{ .Values.nope | required \"two\\nlines\" }}", "{{ fail \"stop\" }}", "{{ fail \"\" }}", "{{ fail 1 }}", "{{ fail (printf \"%v\" .Values.m) }}", "{{ if .Values.fa }}{{ fail \"no\" }}{{ end }}ok", "{{ include \"a\" (fail \"inner\") }}", "{{ tpl \"{{ fail \\\"in tpl\\\" }}\" . }}", "{{ define \"f\" }}{{ fail \"in define\" }}{{ end }}{{ include \"f\" . }}", "{{ lookup \"v1\" \"Pod\" \"ns\" \"n\" }}", "{{ lookup \"v1\" \"Pod\" \"\" \"\" | toJson }}", "{{ (lookup \"v1\" \"Pod\" \"\" \"\").items | len }}", "{{ lookup \"v1\" \"Pod\" }}", "{{ range $i, $e := (lookup \"v1\" \"Pod\" \"\" \"\").items }}x{{ else }}none{{ end }}", "{{ getHostByName \"127.0.0.1\" }}", "{{ getHostByName 1 }}",
	// yaml
	"{{ toYaml .Values.m }}", "{{ toYaml .Values.l }}", "{{ toYaml nil }}", "{{ toYaml \"a: b\" }}", "{{ toYaml .Values.big }} {{ toYaml 1e21 }} {{ toYaml 1.0 }} {{ toYaml 12345678901234567890 }}", "{{ toYaml (dict) }}{{ toYaml (list) }}", "{{ toYaml (until 3) }}", "{{ toYaml (splitList \",\" \"a,b\") }}", "{{ toYaml (dict \"b\" 1 \"a\" (list 1 (dict \"x\" nil))) | nindent 2 }}", "{{ toYaml (b64dec \"/w==\") | quote }}", "{{ toYaml (semver \"1.2.3\") }}", "{{ toYaml .Values.f | b64enc }}", "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toYaml $d | quote }}", "{{ toYamlPretty .Values.m }}", "{{ toYamlPretty .Values.l }}", "{{ toYamlPretty (dict \"a\" (list 1 2) \"n\" 1000000.0) }}", "{{ toYamlPretty nil }}",
	"{{ fromYaml \"a: 1\\nb: [x, 2]\" }}", "{{ fromYaml \"\" }}", "{{ fromYaml \"null\" }}", "{{ fromYaml \"[1]\" }}", "{{ fromYaml \"a: [\" }}", "{{ fromYaml \"x\" }}", "{{ fromYaml 1 }}", "{{ fromYaml \"y: 1\" }}", "{{ (fromYaml \"a: 08\").a }}", "{{ (fromYaml \"a: 1e3\").a }}", "{{ (fromYaml \"a: .inf\") }}", "{{ fromYaml \"a: 1\\n---\\nb: 2\" }}", "{{ fromYaml \"\\ta: 1\" }}", "{{ (fromYaml \"a: b: c\").Error }}", "{{ fromYamlArray \"[1, b, null]\" }}", "{{ fromYamlArray \"a: 1\" }}", "{{ fromYamlArray \"\" | len }}", "{{ fromYamlArray \"x\" }}", "{{ fromYamlArray \"1\" }}", "{{ fromYamlArray \"true\" }}", "{{ fromYamlArray \"[\" }}", "{{ fromYamlArray \"- a\\n- b: c\" | toJson }}",
	// json
	"{{ toJson .Values.m }}", "{{ toJson nil }}", "{{ toJson \"<&>\" }}", "{{ toJson (dict \"f\" 1.0) }}", "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d | quote }}", "{{ mustToJson .Values.l }}", "{{ fromJson \"{\\\"a\\\": [1, {\\\"b\\\": null}]}\" }}", "{{ fromJson \"[1]\" }}", "{{ fromJson \"\" }}", "{{ fromJson \"{\" }}", "{{ fromJson \"null\" }}", "{{ fromJson 1 }}", "{{ (fromJson \"{\\\"a\\\": 12345678}\").a }}", "{{ fromJsonArray \"[1, \\\"b\\\"]\" }}", "{{ fromJsonArray \"{}\" }}", "{{ fromJsonArray \"\" }}", "{{ fromJsonArray \"null\" | len }}", "{{ fromJsonArray \"[\" }}", "{{ fromJsonArray \"\\\"s\\\"\" }}", "{{ fromJsonArray \"1\" }}", "{{ fromJsonArray \"false\" }}", "{{ toPrettyJson .Values.m }}", "{{ toRawJson \"<\" }}", "{{ mustFromJson \"[1]\" }}", "{{ mustToPrettyJson (dict \"a\" 1) }}", "{{ mustToRawJson \"<\" }}",
	// toml
	"{{ toToml .Values.m }}", "{{ toToml (dict \"a\" 1 \"b\" \"x\" \"c\" true \"d\" 1.5) }}", "{{ toToml (dict \"t\" (dict \"u\" (dict \"v\" 1)) \"a\" 1) }}", "{{ toToml (dict \"l\" (list 1 2)) }}", "{{ toToml (dict \"l\" (list (dict \"a\" 1) (dict \"a\" 2))) }}", "{{ toToml (dict \"l\" (list 1 \"a\")) }}", "{{ toToml (dict \"a\" nil) }}", "{{ toToml 1 }}", "{{ toToml nil }}", "{{ toToml (list 1) }}", "{{ toToml (dict \"a b\" 1 \"\" 2 \"é\" 3 \"a.b\" 4) }}", "{{ toToml (dict \"s\" \"a\\\"b\\\\c\\nd\\te\\u0001\") }}", "{{ toToml (dict \"e\" (dict) \"l\" (list)) }}", "{{ toToml (dict \"f\" 1.0 \"g\" 1e10 \"h\" 1e-7 \"i\" 12345678.0) }}", "{{ toToml (dict \"l\" (list (list 1 2) (list \"a\"))) }}", "{{ toToml .Values.mix }}", "{{ fromToml \"a = 1\\nb = 'x'\\n[t]\\nu = [1, 2]\" }}", "{{ fromToml \"\" }}", "{{ fromToml \"a = 1.5\\nb = true\\nc = 0x1f\" }}", "{{ (fromToml \"a = 1\").a | typeOf }}", "{{ fromToml \"[[l]]\\na = 1\\n[[l]]\\na = 2\" | toJson }}", "{{ fromToml 1 }}", "{{ fromToml \"a = 1\\na = 2\" | keys }}",
	// chance and time, by what is always the same of them
	"{{ now | typeOf }}", "{{ ago now }}", "{{ randAlphaNum 12 | len }}", "{{ randAlpha 0 | quote }}", "{{ randAscii 5 | len }}", "{{ randNumeric 4 | len }}", "{{ randBytes 3 | len }}", "{{ randInt 4 5 }}", "{{ randInt 5 4 }}", "{{ shuffle \"aaa\" }}", "{{ uuidv4 | len }}", "{{ bcrypt \"x\" | len }}", "{{ htpasswd \"u\" \"p\" | trunc 5 }}", "{{ encryptAES \"k\" \"t\" | b64dec | len }}", "{{ genPrivateKey \"ecdsa\" | trunc 30 }}", "{{ genPrivateKey \"nope\" }}", "{{ $c := genCA \"n\" 1 }}{{ typeOf $c }} {{ $c.Cert | trunc 27 }}", "{{ $k := genPrivateKey \"ecdsa\" }}{{ (genCAWithKey \"n\" 1 $k).Cert | trunc 27 }}", "{{ (genSelfSignedCert \"n\" nil nil 1).Key | trunc 31 }}", "{{ $k := genPrivateKey \"ecdsa\" }}{{ (genSelfSignedCertWithKey \"n\" nil nil 1 $k).Cert | trunc 27 }}", "{{ $ca := genCA \"n\" 1 }}{{ (genSignedCert \"s\" (list \"1.2.3.4\") (list \"a.b\") 1 $ca).Cert | trunc 27 }}", "{{ $ca := genCA \"n\" 1 }}{{ $k := genPrivateKey \"ecdsa\" }}{{ (genSignedCertWithKey \"s\" nil nil 1 $ca $k).Cert | trunc 27 }}", "{{ genSelfSignedCert \"n\" (list \"bad\") nil 1 }}", "{{ genSelfSignedCert \"n\" (list 1) nil 1 }}", "{{ genCA 1 2 }}", "{{ genSignedCert \"s\" nil nil 1 \"x\" }}", "{{ env \"HOME\" }}", "{{ expandenv \"$HOME\" }}",
	// values as Helm types them
	"{{ typeOf .Values }} {{ kindOf .Values }} {{ typeOf .Values.m }}", "{{ dig \"m\" \"a\" \"d\" .Values }}", "{{ dig \"m\" \"a\" \"d\" (.Values | toYaml | fromYaml) }}", "{{ hasKey .Values \"n\" }}", "{{ get .Values \"n\" }}", "{{ $_ := set .Values \"new\" 1 }}{{ .Values.new }}", "{{ keys .Values.m | sortAlpha }}", "{{ merge (dict) .Values.m | toJson }}", "{{ .Values.nope | default \"d\" }}", "{{ .Values.m.c.d | quote }}", "{{ .Template.Name }} {{ .Template.BasePath }}", "{{ .Values.AsMap | typeOf }}", "{{ .Values.n.x }}", "{{ .nope.x }}",
}

var helm4Texts = []string{
	"{{ mustToYaml .Values.m }}", "{{ mustToYaml nil }}", "{{ mustToToml (dict \"a\" 1) }}", "{{ mustToToml 1 }}", "{{ mustToToml nil }}", "{{ mustToJson .Values.m }}", "{{ toToml 1 }}", "{{ toToml (list 1) }}",
	"{{ mustToDuration \"1h2m3s\" }}", "{{ mustToDuration \"90\" }}", "{{ mustToDuration 90 }}", "{{ mustToDuration 1.5 }}", "{{ mustToDuration \"x\" }}", "{{ mustToDuration \"\" }}", "{{ mustToDuration nil }}", "{{ mustToDuration .Values.l }}", "{{ mustToDuration true }}", "{{ mustToDuration 9223372036854775807 }}", "{{ mustToDuration 1e30 }}", "{{ mustToDuration \"  5s \" }}", "{{ mustToDuration \"-1.5h\" }}", "{{ mustToDuration \"1e3\" }}", "{{ mustToDuration (mustToDuration \"1m\") }}", "{{ mustToDuration \"1s\" | typeOf }}", "{{ mustToDuration .Values.n }}", "{{ mustToDuration \"nan\" }}", "{{ mustToDuration \"inf\" }}",
	"{{ (mustToDuration \"1h30m\").Hours }} {{ (mustToDuration \"1h30m\").Minutes }} {{ (mustToDuration \"1h30m\").String }}", "{{ (mustToDuration \"90s\").Round (mustToDuration \"1m\") }}", "{{ mustToDuration \"1s\" | printf \"%d\" }}", "{{ add (mustToDuration \"1s\") 1 }}", "{{ mustToDuration \"1s\" | toJson }}", "{{ mustToDuration \"1s\" | int64 }}", "{{ eq (mustToDuration \"60s\") (mustToDuration \"1m\") }}", "{{ mustToDuration \"5ms\" | toString }}", "{{ lt (mustToDuration \"5s\") (mustToDuration \"1m\") }}",
	"{{ durationSeconds \"1m\" }} {{ durationSeconds 5 }} {{ durationSeconds 2.5 }} {{ durationSeconds \"x\" }} {{ durationSeconds nil }} {{ durationSeconds \"2.5\" }}", "{{ durationMilliseconds \"1.5s\" }} {{ durationMilliseconds \"x\" }} {{ durationMilliseconds 2 }}", "{{ durationMicroseconds \"1ms\" }} {{ durationMicroseconds \"x\" }}", "{{ durationNanoseconds \"1us\" }} {{ durationNanoseconds \"x\" }} {{ durationNanoseconds 1 }}", "{{ durationMinutes \"90s\" }} {{ durationMinutes 60 }}", "{{ durationHours \"90m\" }} {{ durationHours \"x\" }}", "{{ durationDays \"36h\" }} {{ durationDays \"x\" }}", "{{ durationWeeks \"168h\" }} {{ durationWeeks 604800 }}", "{{ durationRoundTo \"2h13m\" \"1h\" }} {{ durationRoundTo \"1m31s\" 60 }} {{ durationRoundTo \"x\" \"1h\" }} {{ durationRoundTo \"90s\" \"x\" }} {{ durationRoundTo \"-90s\" \"1m\" }} {{ durationRoundTo \"5s\" 0 }}", "{{ durationTruncateTo \"2h13m\" \"1h\" }} {{ durationTruncateTo \"1m31s\" 60 }} {{ durationTruncateTo \"x\" \"1h\" }} {{ durationTruncateTo \"90s\" \"x\" }} {{ durationTruncateTo \"-90s\" \"1m\" }}", "{{ durationSeconds \"1h\" | typeOf }} {{ durationNanoseconds \"1h\" | typeOf }} {{ durationRoundTo \"1h\" \"1m\" | typeOf }}", "{{ durationSeconds }}", "{{ durationRoundTo \"1h\" }}", "{{ duration 95 }} {{ duration \"95\" }} {{ durationRound \"2h10m5s\" }}",
	"{{ env \"HOME\" }}", "{{ nope }}", "{{ lookup \"v1\" \"Pod\" \"\" \"\" }}",
}

func helmCases(put func(any)) {
	for _, text := range helmTexts {
		put(runHelm3(text))
	}
	for _, text := range helm4Texts {
		put(runHelm4(text))
	}
}
