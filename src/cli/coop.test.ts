import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { createCoop } from './coop.ts'
import { describeFailure, Interrupted } from './failure.ts'

describe('coop', () => {
  it('shows its help with all commands and exit statuses', async () => {
    const { status, stdout, stderr } = await coop('--help')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const name of ['train', 'evaluate', 'zero-shot', 'classify', 'import', 'sweep'])
      expect(stdout).toContain(`  ${name} `)
    expect(stdout).toContain('Exit status: 0')
  })

  it('shows flags, defaults and examples of a command', async () => {
    const { status, stdout } = await coop('train', '--help')
    expect(status).toBe(0)
    expect(stdout).toMatch(/--shots <N> [\s\S]*\(default: all; 16 for[\s\S]*\)/)
    expect(stdout).toContain('$ coop-ts train photos --out runs/photos')
  })

  it('says which images are counted', async () => {
    for (const command of ['train', 'evaluate', 'zero-shot'])
      expect((await coop(command, '--help')).stdout).toMatch(/test\s+images/)
  })

  it('has help and version as commands too', async () => {
    expect(await coop('help')).toEqual(await coop('--help'))
    for (const name of ['train', 'datasets', 'help', 'version', 'completion'])
      expect(await coop('help', name)).toEqual(await coop(name, '--help'))
    expect(await coop('version')).toEqual(await coop('--version'))
    expect(onlyJson(await coop('version', '--json'))).toEqual({ version: (await coop('version')).stdout.trim() })
    for (const words of [['--version'], ['--help'], ['train', '--help']]) {
      const plain = (await coop(...words)).stdout.trimEnd()
      const ended = await coop(...words, '--json')
      expect(onlyJson(ended)).toEqual({ [words.includes('--version') ? 'version' : 'help']: plain })
      expect(ended).toMatchObject({ status: 0, stderr: '' })
    }
    expectFailure(await coop('help', 'trian', '--json'), 2, /unknown command 'trian' \(did you mean train\?\)/)
    expectFailure(await coop('completion', 'tcsh', '--json'), 2, /no completion for tcsh/)
  })

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await coop('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('without a command shows its help and ends with status 2', async () => {
    const { status, stdout, stderr } = await coop()
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain('Usage: coop-ts COMMAND')
  })

  it.each([
    ['trian photos', /unknown command 'trian' \(did you mean train\?\)/],
    ['train photos --shot 4', /unknown option '--shot' \(did you mean --shots\?\)/],
    ['train', /missing required argument 'data'/],
    ['train photos more', /too many arguments/],
    ['classify run', /missing required argument 'image'/],
    ['train photos --shots', /'--shots <N>' argument missing/],
    ['train photos --shots many', /--shots expects a whole number from 1 to 1000000, or all, received "many"/],
    ['train photos --shots 0', /--shots expects a whole number from 1 to 1000000, or all, received "0"/],
    ['train photos --shots 1.5 --lr abc', /--shots .* received "1.5"\n--lr expects a number above 0, received "abc"/],
    ['train photos --test-share 1', /--test-share expects a number from 0 to below 1, received "1"/],
    ['zero-shot photos --test-share 1.1', /--test-share expects a number from 0 to 1, received "1.1"/],
    ['train photos --lr 1e400', /--lr expects/],
    ['train photos --seed -1', /--seed expects a whole number from 0 to 4294967295/],
    ['train photos --device gpu', /--device expects one of cpu, webgpu, cuda, auto, received "gpu"/],
    ['train photos --out --resume', /--out expects a folder, received "--resume"/],
    ['train photos --position left', /--position expects one of end, middle, front/],
    ['zero-shot photos --template photo', /--template expects a prompt with \{\} where the class name goes/],
    ['classify no-run x.png --top 0', /--top expects/],
    ['classify no-run x.png --reject 2', /--reject expects a number from 0 to 1, received "2"/],
    [
      'evaluate no-run x --sets 1.5 --reject -1',
      /--reject .* received "-1"\n--sets expects a number above 0 and below 1/,
    ],
    ['train photos --sets 1', /--sets expects a number above 0 and below 1, received "1"/],
    ['train photos --error-rate 0', /--error-rate expects a number above 0 and below 1, received "0"/],
  ])('%s ends with status 2 and says why', async (words, message) => {
    const [command = '', ...rest] = words.split(' ')
    expectFailure(await coop(command, '--json', ...rest), 2, message)
  })

  it('shows a stack with --verbose alone', async () => {
    expect((await coop('train', 'photos', '--shots', '0', '--verbose')).stderr).toMatch(/^\s+at /m)
    expect((await coop('train', 'photos', '--shots', '0')).stderr).not.toMatch(/^\s+at /m)
  })

  it('leaves the remedy of a library without its binaries to that library', () => {
    const error = new Error('Could not load the "sharp" module using the linux-x64 runtime\nPossible solutions: ...')
    expect(describeFailure(error)).toEqual({ message: error.message, remedy: undefined, exitCode: 1 })
  })

  it('when interrupted says how to go on, with status 130', () => {
    const written = { stdout: '', stderr: '' }
    const stdout = { write: (text: string) => (written.stdout += text) }
    const stderr = { write: (text: string) => (written.stderr += text) }
    const status = createCoop(['train', 'photos', '--json'], { stdout, stderr }).fail(new Interrupted())
    expectFailure({ status, ...written }, 130, /^interrupted$/)
    expect(written.stderr).toContain('--resume')
  })
})
