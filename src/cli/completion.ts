import { shellQuoted } from '../base/shell.ts'
import type { Command } from './command.ts'

// Completion scripts from the table of commands: command names, flags, the words that a value may be; files elsewhere.

/** Commands of the package, as package.json has them. */
const NAMES = ['coop-ts', 'coop']

interface CompletedFlag {
  readonly flag: string
  readonly help: string
  /** `switch` takes no value; words are all that it takes. */
  readonly takes: 'switch' | 'files' | readonly string[]
}

interface CompletedCommand {
  readonly name: string
  readonly help: string
  readonly flags: readonly CompletedFlag[]
  /** What stands after the command, one entry a word; the last may be repeated. */
  readonly operands: readonly CompletedOperand[]
}

interface CompletedOperand {
  readonly words: readonly string[]
  readonly files: boolean
}

function completed({ name, summary, options, operands }: Command): CompletedCommand {
  const flags = options.map(({ flag, help, argument, values }) => ({
    flag,
    help: firstSentence(help),
    takes: argument === undefined ? ('switch' as const) : (values ?? ('files' as const)),
  }))
  return {
    name,
    help: summary,
    flags: [...flags, { flag: '--help', help: 'show the help', takes: 'switch' }],
    operands: operands.map(({ values = [], files = values.length === 0 }) => ({ words: values, files })),
  }
}

const firstSentence = (help: string): string => help.split(/[:;] |, which/)[0] ?? help

const isWords = (takes: CompletedFlag['takes']): takes is readonly string[] => typeof takes !== 'string'

const WRITERS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

export type Shell = keyof typeof WRITERS
export const SHELLS = ['bash', 'zsh', 'fish'] as const satisfies readonly Shell[]

/** The script that makes a shell complete what is typed after the program's names. */
export const completionScript = (shell: Shell, commands: readonly Command[]): string =>
  WRITERS[shell](commands.map(completed))

/** `'train --out'|'train --model'`: flags of a command that take the same, as a pattern of `case`. */
const pattern = (command: string, flags: readonly CompletedFlag[]): string =>
  flags.map(({ flag }) => shellQuoted(`${command} ${flag}`)).join('|')

/** Lines of `case "COMMAND FLAG"` for the values of flags, in bash and zsh. */
function valueCases(commands: readonly CompletedCommand[], words: (values: readonly string[]) => string): string[] {
  return commands.flatMap(({ name, flags }) => {
    const files = flags.filter(({ takes }) => takes === 'files')
    return [
      ...flags.flatMap(({ flag, takes }) =>
        isWords(takes) ? [`${shellQuoted(`${name} ${flag}`)}) ${words(takes)} ;;`] : [],
      ),
      ...(files.length > 0 ? [`${pattern(name, files)}) files ;;`] : []),
    ]
  })
}

/** Lines of `case "COMMAND PLACE"` for operands; the first stands at `first`. */
function operandCases(
  commands: readonly CompletedCommand[],
  first: number,
  words: (values: readonly string[], files: boolean) => string,
): string[] {
  return commands.flatMap(({ name, operands }) => {
    const closed = operands.flatMap((takes, i) =>
      takes.words.length > 0 ? [`${shellQuoted(`${name} ${first + i}`)}) ${words(takes.words, takes.files)} ;;`] : [],
    )
    const open = operands.some(({ files }) => files)
    return [...closed, ...(open ? [`${shellQuoted(`${name} `)}*) files ;;`] : [])]
  })
}

const indented = (lines: readonly string[], depth: number): string =>
  lines.map((line) => ' '.repeat(depth) + line).join('\n')

function bashScript(commands: readonly CompletedCommand[]): string {
  const offer = (values: readonly string[], files = false) =>
    `words ${shellQuoted(values.join(' '))}${files ? '; files' : ''}`
  const flags = commands.map(({ name, flags }) => `${name}) ${offer(flags.map(({ flag }) => flag))} ;;`)
  return `# Completion of ${NAMES.join(' and ')} for bash: add to ~/.bashrc
#   eval "$(coop-ts completion bash)"
_coop_ts() {
  local command=\${COMP_WORDS[1]} word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} action=none offered='' named='' line
  words() { action=done offered=$1; }
  files() { action=done named=yes; }
  # --flag=value is three words to bash
  if [[ $word == '=' ]]; then word=''
  elif [[ $before == '=' ]]; then before=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD == 1)); then ${offer([...commands.map(({ name }) => name), '--help', '--version'])}
  else
    case "$command $before" in
${indented(valueCases(commands, offer), 6)}
    esac
    if [[ $action == none && $word == -* ]]; then
      case "$command" in
${indented(flags, 8)}
      esac
    elif [[ $action == none ]]; then
      case "$command $COMP_CWORD" in
${indented(operandCases(commands, 2, offer), 8)}
      esac
    fi
  fi
  unset -f words files
  COMPREPLY=()
  [[ -z $named ]] || compopt -o filenames 2>/dev/null
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
    compgen -W "$offered" -- "$word"
    [[ -z $named ]] || compgen -f -- "$word"
  )
}
complete -F _coop_ts ${NAMES.join(' ')}`
}

function zshScript(commands: readonly CompletedCommand[]): string {
  const offer = (values: readonly string[], files = false) =>
    `compadd -- ${values.map(shellQuoted).join(' ')}${files ? '; _files' : ''}; return`
  const files = (line: string) => line.replace(/ files ;;$/, ' _files; return ;;')
  const described = (name: string, help: string) => shellQuoted(`${name}:${help}`)
  const flags = commands.map(
    ({ name, flags }) => `${name}) offered=(${flags.map(({ flag, help }) => described(flag, help)).join(' ')}) ;;`,
  )
  return `#compdef ${NAMES.join(' ')}
# Completion of ${NAMES.join(' and ')} for zsh: write it to a file _coop-ts in a folder of $fpath, or add to ~/.zshrc, after compinit,
#   eval "$(coop-ts completion zsh)"
_coop-ts() {
  local -a offered
  local command=$words[2] before=$words[CURRENT-1]
  if (( CURRENT == 2 )); then
    offered=(${commands.map(({ name, help }) => described(name, help)).join(' ')})
    _describe command offered
    return
  fi
  if [[ $PREFIX == --*=* ]]; then
    before=\${PREFIX%%=*}
    compset -P 1 '*='
  fi
  case "$command $before" in
${indented(valueCases(commands, offer).map(files), 4)}
  esac
  if [[ $PREFIX == -* ]]; then
    case $command in
${indented(flags, 6)}
    esac
    _describe -o flag offered
    return
  fi
  case "$command $CURRENT" in
${indented(operandCases(commands, 3, offer).map(files), 4)}
  esac
}
if [[ $funcstack[1] == _coop-ts ]]; then _coop-ts "$@"; else compdef _coop-ts ${NAMES.join(' ')}; fi`
}

function fishScript(commands: readonly CompletedCommand[]): string {
  const text = (words: string) => `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = commands.flatMap(({ name, help, flags, operands }) => {
    const at = (place?: number) => `-n ${text(`__coop_ts_at ${name}${place === undefined ? '' : ` ${place}`}`)}`
    const takes = ({ takes }: CompletedFlag) =>
      takes === 'switch' ? '' : takes === 'files' ? ' -r -F' : ` -x -a ${text(takes.join(' '))}`
    return [
      `complete -c $program -n __coop_ts_first -a ${name} -d ${text(help)}`,
      ...flags.map(
        (flag) => `complete -c $program ${at()} -l ${flag.flag.slice(2)}${takes(flag)} -d ${text(flag.help)}`,
      ),
      ...operands.flatMap(({ words }, i) =>
        words.length > 0 ? [`complete -c $program ${at(i + 2)} -a ${text(words.join(' '))}`] : [],
      ),
      ...(operands.some(({ files }) => files) ? [`complete -c $program ${at()} -F`] : []),
    ]
  })
  return `# Completion of ${NAMES.join(' and ')} for fish: add to ~/.config/fish/config.fish
#   coop-ts completion fish | source
function __coop_ts_first
  test (count (commandline -opc)) -eq 1
end
# is it the command of this name, and the word at this place?
function __coop_ts_at
  set -l typed (commandline -opc)
  test (count $typed) -ge 2; and test "$typed[2]" = "$argv[1]"; or return 1
  test (count $argv) -eq 1; or test (count $typed) -eq $argv[2]
end
for program in ${NAMES.join(' ')}
  complete -c $program -e
  complete -c $program -f
  complete -c $program -n __coop_ts_first -l help -d 'show the help'
  complete -c $program -n __coop_ts_first -l version -d 'print the version'
${indented(lines, 2)}
end`
}
