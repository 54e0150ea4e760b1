# Completes `lap helm` and a command called helm that is it. Load it: lap helm completion fish | source

function __lap_helm_answer
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    if test (basename -- $words[1]) = lap
        if test (count $words) -lt 2
            printf '%s\n' cr doctor helm help image registry version why
            return
        end
        test "$words[2]" = helm; or return
        $words[1] helm __ASK__ $words[3..-1] "$last" 2>/dev/null
    else
        $words[1] __ASK__ $words[2..-1] "$last" 2>/dev/null
    end
end

# Whether the shell may offer files: the directive lacks 4 and there is nothing else.
function __lap_helm_files
    set -l answer (__lap_helm_answer)
    test (count $answer) -eq 1; or return 1
    set -l directive (string replace -r '^:' '' -- $answer[-1])
    test (math "bitand($directive, 4)") -eq 0
end

function __lap_helm_words
    # Answers lack the flag that stands before =.
    set -l flag (string match -r '^--[^=]+=' -- (commandline -ct))
    __lap_helm_answer | string match -v -r '^:\d+$' | string replace -r '^' "$flag"
end

for program in lap helm
    complete -c $program -e
    complete -c $program -n 'not __lap_helm_files' -f -a '(__lap_helm_words)'
    complete -c $program -n __lap_helm_files -F
end
