#compdef lap helm
# Completes `lap helm` and a command called helm that is it. Load it: source <(lap helm completion zsh)

_lap_helm_ask() {
    local -a ask lines shown words_only
    local answer directive line word about
    if [[ ${words[1]:t} == lap ]]; then
        if (( CURRENT <= 2 )); then
            compadd -- cr doctor helm help image registry version why
            return
        fi
        [[ ${words[2]} == helm ]] || { _files; return; }
        ask=("${words[1]}" helm __ASK__ "${(@)words[3,CURRENT]}")
    else
        ask=("${words[1]}" __ASK__ "${(@)words[2,CURRENT]}")
    fi
    # Answers lack the flag that stands before =.
    [[ $PREFIX == --*=* ]] && compset -P '*='
    answer=$("${(@Q)ask}" 2>/dev/null) || return 1
    lines=("${(@f)answer}")
    directive=${lines[-1]#:}
    for line in "${(@)lines[1,-2]}"; do
        [[ -n $line ]] || continue
        word=${line%%$'\t'*} about=${line#*$'\t'}
        words_only+=("$word")
        [[ $about == $line ]] && shown+=("$word") || shown+=("$word  -- $about")
    done
    local -a options
    (( directive & 2 )) && options+=(-S '')
    if (( $#words_only )); then
        compadd -l -d shown "${(@)options}" -- "${(@)words_only}"
    elif (( ! (directive & 4) )); then
        _files
    fi
}

compdef _lap_helm_ask lap helm
