# Completes `lap helm` and a command called helm that is it. Load it: source <(lap helm completion bash)

__lap_helm_ask() {
    # Words as the user parted them: readline parts at = and : as well.
    local line="${COMP_LINE:0:COMP_POINT}" words=() ask
    read -r -a words <<<"$line"
    [[ $line == *[[:space:]] || ${#words[@]} -eq 0 ]] && words+=("")
    case "${words[0]##*/}" in
        lap)
            if [[ ${#words[@]} -le 2 ]]; then
                COMPREPLY=($(compgen -W "cr doctor helm help image registry version why" -- "${words[1]-}"))
                return
            fi
            [[ ${words[1]} == helm ]] || { compopt -o default 2>/dev/null; return; }
            ask=("${words[0]}" helm __ASK__ "${words[@]:2}") ;;
        *) ask=("${words[0]}" __ASK__ "${words[@]:1}") ;;
    esac
    # Answers lack the flag that stands before =, and readline's word begins behind = and : if it parts there.
    local word="${words[${#words[@]} - 1]}" flag="" cut="" answer directive text description candidates=() about=()
    [[ $word == --*=* ]] && { flag="${word%%=*}=" word="${word#*=}"; }
    [[ $COMP_WORDBREAKS == *=* ]] && flag=""
    [[ $COMP_WORDBREAKS == *:* && $word == *:* ]] && cut="${word%"${word##*:}"}"
    answer=$("${ask[@]}" 2>/dev/null) || return
    directive=${answer##*:}
    while IFS=$'\t' read -r text description; do
        [[ -n $text && $text == "$word"* ]] || continue
        candidates+=("$flag${text#"$cut"}")
        about+=("${description-}")
    done < <(printf '%s\n' "${answer%:*}")
    ((directive & 2)) && compopt -o nospace 2>/dev/null
    if ((!(directive & 4))) && [[ ${#candidates[@]} -eq 0 ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    local i
    COMPREPLY=()
    for i in "${!candidates[@]}"; do
        # Descriptions are shown, never put into the line.
        if ((COMP_TYPE == 63 && ${#candidates[@]} > 1)) && [[ -n ${about[i]} ]]; then
            COMPREPLY+=("${candidates[i]}  (${about[i]})")
        else
            COMPREPLY+=("${candidates[i]}")
        fi
    done
}

complete -F __lap_helm_ask lap
complete -F __lap_helm_ask helm
