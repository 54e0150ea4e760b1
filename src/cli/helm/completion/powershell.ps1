# Completes `lap helm` and a command called helm that is it. Load it:
# lap helm completion powershell | Out-String | Invoke-Expression

$__lapHelmAsk = {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -le $cursorPosition } | ForEach-Object { $_.Extent.Text })
    if ($wordToComplete -ne '' -and $words.Count -gt 1) { $words = @($words[0..($words.Count - 2)]) }
    $program = $words[0]
    $rest = @($words | Select-Object -Skip 1)
    if ((Split-Path -Leaf $program) -eq 'lap') {
        if ($rest.Count -eq 0) {
            'cr', 'doctor', 'helm', 'help', 'image', 'registry', 'version', 'why' |
                Where-Object { $_ -like "$wordToComplete*" } |
                ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
            return
        }
        if ($rest[0] -ne 'helm') { return }
        $ask = @('helm', '__ASK__') + @($rest | Select-Object -Skip 1) + @("$wordToComplete")
    } else {
        $ask = @('__ASK__') + $rest + @("$wordToComplete")
    }
    $answer = @(& $program @ask 2>$null)
    $answer | Where-Object { $_ -and $_ -notmatch '^:\d+$' } | ForEach-Object {
        $word, $about = $_ -split "`t", 2
        if (-not $about) { $about = $word }
        # Answers lack the flag that stands before =.
        if ($wordToComplete -match '^(--[^=]+=)') { $word = $Matches[1] + $word }
        if ($word -like "$wordToComplete*") {
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
        }
    }
}

Register-ArgumentCompleter -Native -CommandName lap, helm -ScriptBlock $__lapHelmAsk
