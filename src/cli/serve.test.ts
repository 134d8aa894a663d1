import { type ChildProcess, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openRun } from '../runs/open-run.ts'
import { classifiedSchema } from '../serve/answers.ts'
import { NODE } from '../testing/coop-process.ts'
import { type ServedWorld, servedWorld } from '../testing/served-world.ts'
import type { OpenRun } from '../trained/classify.ts'

let world: ServedWorld
let direct: OpenRun
beforeAll(async () => {
  world = await servedWorld()
  direct = await openRun(world.coop, { threads: 1 })
})
afterAll(async () => {
  await direct.dispose()
  await world.remove()
})

/** `coop serve` in a process of its own, once it has said where. */
async function served(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [...NODE, 'serve', '--port', '0', '--threads', '1', ...words], {
    env: { ...process.env, ...env },
  })
  const log: string[] = []
  createInterface(child.stderr).on('line', (line) => log.push(line))
  const status = new Promise<number | null>((resolve) => child.on('close', resolve))
  const said = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('close', () => reject(new Error(log.join('\n'))))
  })
  return { child, log, status, said, url: /http:\/\/[^\s"]+/.exec(said)?.[0] ?? '' }
}

/** Asks again and again until nobody takes requests any more; gives all answers, and how often an accepted request had none. */
async function load(url: string, picture: Uint8Array<ArrayBuffer>, answers: unknown[]): Promise<number> {
  for (;;) {
    try {
      const headers = { 'Content-Type': 'image/png' }
      const response = await fetch(`${url}/v1/classify`, { method: 'POST', headers, body: picture })
      if (response.status === 503) return 0
      answers.push(classifiedSchema.parse(await response.json()))
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
      // refused: it was not accepted
      return String(cause).includes('ECONNREFUSED') ? 0 : 1
    }
  }
}

it('under load, SIGTERM loses no accepted request, every answer is right, and the process ends well', async () => {
  const { child, status, log, url, said } = await served(['--run', world.coop])
  expect(said).toBe(`coop-ts serves coop on ${url}`)
  const picture = await world.picture('red/2')
  const [expected = []] = await direct.classify([picture])
  const answers: unknown[] = []
  const clients = Array.from({ length: 16 }, () => load(url, picture, answers))
  await expect.poll(() => answers.length, { timeout: 60_000 }).toBeGreaterThan(40)
  child.kill('SIGTERM')
  expect((await Promise.all(clients)).reduce((sum, lost) => sum + lost, 0)).toBe(0)
  expect(await status).toBe(0)
  for (const answer of answers) {
    const [result] = classifiedSchema.parse(answer).results
    expect(result?.labels.map(({ label }) => label)).toEqual(expected.map(({ label }) => label))
  }
  const lines = log.map((line) => JSON.parse(line))
  expect(lines.at(-1)).toMatchObject({ event: 'stopped', unanswered: 0 })
  expect(lines.filter(({ status }) => status === 200).length).toBe(answers.length)
})

const keepBusy = (url: string, child: ChildProcess) =>
  fetch(`${url}/v1/classify`, {
    method: 'POST',
    headers: { 'Content-Type': 'image/png' },
    // a body that never ends
    body: new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(10))
        setTimeout(() => child.kill('SIGINT'), 300)
      },
    }),
    duplex: 'half',
  }).catch(() => 'cut off')

it('who does not end is cut off after the grace, and the process says so', async () => {
  const { child, status, log, url } = await served(['--run', world.coop, '--grace', '1'])
  expect(await keepBusy(url, child)).toBe('cut off')
  expect(await status).toBe(1)
  expect(JSON.parse(log.at(-1) ?? '')).toMatchObject({ event: 'stopped', unanswered: 1 })
})

it('a second signal ends it at once', async () => {
  const { child, status, url } = await served(['--run', world.coop, '--grace', '600'])
  setTimeout(() => child.kill('SIGINT'), 1500)
  expect(await keepBusy(url, child)).toBe('cut off')
  expect(await status).toBe(130)
})

it('serves the playground alone, several runs by name, behind a token of a file or the environment', async () => {
  const tokenFile = join(world.root, 'token')
  await writeFile(tokenFile, 'secret-1\n')
  const runs = ['--run', `a=${world.coop}`, '--run', `b=${world.tip}`, '--model', world.model]
  const [alone, two] = await Promise.all([
    served(['--json'], { COOP_TS_TOKEN: 'secret-2' }),
    served([...runs, '--host', '0.0.0.0', '--quiet', '--token-file', tokenFile]),
  ])
  expect(JSON.parse(alone.said)).toEqual({ url: alone.url, runs: [] })
  expect(two.said).toMatch(/^coop-ts serves a, b on /)
  const ask = (url: string, token: string) =>
    fetch(`${url.replace('0.0.0.0', '127.0.0.1')}/v1/runs`, { headers: { Authorization: `Bearer ${token}` } })
  expect((await ask(two.url, 'secret-2')).status).toBe(401)
  expect(await (await ask(two.url, 'secret-1')).json()).toMatchObject({ runs: [{ name: 'a' }, { name: 'b' }] })
  expect(await (await ask(alone.url, 'secret-2')).json()).toEqual({ runs: [] })
  for (const { child, status } of [alone, two]) {
    child.kill('SIGTERM')
    expect(await status).toBe(0)
  }
  expect(two.log).toEqual([])
})
