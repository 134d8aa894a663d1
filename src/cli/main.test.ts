import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const COOP = [process.execPath, '--import', 'tsx', MAIN]

function coop(...words: readonly string[]) {
  const [node = '', ...before] = COOP
  const { status, stdout, stderr } = spawnSync(node, [...before, ...words], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('coop', () => {
  it('shows its help with all commands', () => {
    const { status, stdout, stderr } = coop('--help')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const name of ['demo', 'train', 'evaluate', 'zero-shot', 'classify', 'pretrain'])
      expect(stdout).toContain(`  ${name} `)
  })

  it('shows flags, defaults and examples of a command', () => {
    const { status, stdout } = coop('train', '--help')
    expect(status).toBe(0)
    expect(stdout).toMatch(/--shots <K> .*\(default: 16\)/)
    expect(stdout).toContain('$ coop train photos --shots 16')
  })

  it('tells its version', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(coop('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' })
  })

  it.each([
    [['trian', 'photos'], "unknown command 'trian' (did you mean train?)"],
    [['train', 'photos', '--shot', '4'], "unknown option '--shot' (did you mean --shots?)"],
    [['train', 'photos', '--shots', 'many'], '--shots expects a whole number of at least 1, received "many"'],
    [['train'], "missing required argument 'dir'"],
  ])('%j ends with status 2 and says why', (words, message) => {
    const { status, stdout, stderr } = coop(...words)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  it('puts one JSON object on standard output when it fails under --json', () => {
    const { status, stdout, stderr } = coop('classify', 'no-such-run', 'x.png', '--json', '--top', '0')
    expect(status).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({ error: expect.stringContaining('--top') })
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(stderr).toContain('--top')
  })

  it('shows a stack with --verbose alone', () => {
    expect(coop('train', 'photos', '--shots', '0', '--verbose').stderr).toMatch(/^\s+at /m)
  })

  it('is quiet when the reader of its output goes away', () => {
    const command = `${COOP.map((word) => `'${word}'`).join(' ')} train --help | head -c 1`
    const { stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
    expect(stderr).toBe('')
  })
})
