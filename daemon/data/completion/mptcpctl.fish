# fish completion of mptcpctl(1). What can follow, the program itself says ("mptcpctl complete"),
# and in words that mean nothing to a shell: nothing here is evaluated.

function __mptcpctl_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l program $before[1]
    set -e before[1]
    for line in ($program complete -- $before $current 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path $current
            case ':command *'
                # a command line of its own begins at that word
                set -l first (math (string replace ':command ' '' -- $line) + 1)
                set -l rest
                if test $first -le (count $before)
                    set rest (string escape -- $before[$first..-1])
                end
                complete -C (string join ' ' -- $rest $current)
            case '*'
                printf '%s\n' $line
        end
    end
end

complete -c mptcpctl -f -a '(__mptcpctl_complete)'
