import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coop } from '../testing/coop.ts'
import { SHELLS, type Shell } from './completion.ts'

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'coop-completion-'))
  for (const shell of SHELLS) writeFileSync(join(folder, shell), (await coop('completion', shell)).stdout)
  writeFileSync(join(folder, 'a picture.png'), '')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What the real shell offers for a line, given as the words typed, the last of which is being typed. */
const OFFERED: Readonly<Record<Shell, (words: readonly string[]) => string>> = {
  bash: (words) => `
    source ./bash
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}
    function=$(complete -p ${words[0]} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
    $function
    printf '%s\\n' "\${COMPREPLY[@]}"`,
  // the completion system needs a terminal: its functions print what they are given
  zsh: (words) => `
    compdef() { }
    compadd() { shift; print -l -- "$@" }
    compset() { PREFIX=\${PREFIX#*=} }
    _files() { print -l -- *(N) }
    _describe() { print -l -- "\${(@)\${(@P)@[-1]}%%:*}" }
    source ./zsh
    words=(${words.map((word) => `'${word}'`).join(' ')}) CURRENT=$#words PREFIX=$words[-1]
    _coop-ts`,
  fish: (words) => `source ./fish; complete -C '${words.join(' ')}' | string split -f1 \\t`,
}

const isThere = (shell: Shell) => spawnSync(shell, ['-c', 'true']).status === 0

describe.each(SHELLS)('completion for %s', (shell) => {
  const offered = (...words: readonly string[]): string[] => {
    const args = shell === 'bash' ? ['--norc', '-c'] : shell === 'zsh' ? ['-f', '-c'] : ['--no-config', '-c']
    const { stdout, stderr } = spawnSync(shell, [...args, OFFERED[shell](words)], { encoding: 'utf8', cwd: folder })
    expect(stderr).toBe('')
    return stdout.split('\n').filter((line) => line !== '')
  }

  it.skipIf(!isThere(shell)).each(['coop-ts', 'coop'])('of %s offers commands, flags, words and files', (name) => {
    expect(offered(name, '')).toEqual(expect.arrayContaining(['train', 'evaluate', 'zero-shot', 'help', 'completion']))
    if (shell !== 'zsh') expect(offered(name, 'tr')).toEqual(['train'])
    expect(offered(name, 'train', '--')).toEqual(expect.arrayContaining(['--shots', '--position', '--json', '--help']))
    expect(offered(name, 'words', '--')).not.toContain('--shots')
    expect(offered(name, 'train', 'photos', '--position', '').sort()).toEqual(['end', 'front', 'middle'])
    expect(offered(name, 'train', '--transforms', '').sort()).toEqual(['2021-09', '2021-10'])
    expect(offered(name, 'train', '--method', '')).toContain('tip-adapter-f')
    expect(offered(name, 'sweep', '--device', '').sort()).toEqual(['auto', 'cpu', 'cuda', 'webgpu'])
    expect(offered(name, 'datasets', '').sort()).toEqual(['split', 'subset'])
    expect(offered(name, 'datasets', 'subset', '')).toContain('caltech101')
    expect(offered(name, 'completion', '').sort()).toEqual(['bash', 'fish', 'zsh'])
    const files = (found: readonly string[]) => found.map((file) => file.replaceAll('\\', ''))
    for (const words of [
      ['train', ''],
      ['classify', 'run', ''],
      ['train', 'photos', '--out', ''],
    ])
      expect(files(offered(name, ...words))).toContain('a picture.png')
    expect(offered(name, 'methods', '')).toEqual([])
  })
})

it('bash offers words after --flag= as well', () => {
  const words = ['coop-ts', 'train', '--position', '=', 'm']
  const { stdout } = spawnSync('bash', ['--norc', '-c', OFFERED.bash(words)], { encoding: 'utf8', cwd: folder })
  expect(stdout).toBe('middle\n')
})
