import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, type ClientRequest, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import sharp from 'sharp'
import { randomFor } from '../src/base/random.ts'
import { openRun } from '../src/runs/open-run.ts'
import { train } from '../src/runs/train.ts'
import { NODE } from '../src/testing/coop-process.ts'
import { type Bench, type BenchOptions, type Figure, figure } from './bench.ts'
import { interleaved, median } from './measure.ts'

const CLIENTS = [1, 8, 64]
const BATCH = 32
const SIZE = { width: 320, height: 240 }

export const serve: Bench = {
  name: 'serve',
  about: `requests of one ${SIZE.width} x ${SIZE.height} JPEG over HTTP on loopback, beside openRun in this process, ${BATCH} at a time`,
  long: true,
  async run(runtime, { quick, threads }) {
    const folder = await mkdtemp(join(tmpdir(), 'coop-bench-'))
    try {
      const pictures = await makePictures(join(folder, 'photos'), 64)
      const out = join(folder, 'run')
      const settings = { recipe: 'fast', epochs: 2, M: 4 }
      await train(join(folder, 'photos'), {
        out,
        cache: join(folder, 'cache'),
        threads,
        shots: 2,
        method: 'coop',
        settings,
      })
      const bare = await openRun(out, { runtime })
      const server = await startServer(out, threads)
      const figures = await throughput(pictures, bare.classify, server.url, quick)
      const memory = await memoryOf(pictures, server.url, quick ? [100, 500, 1000] : [1000, 5000, 10_000])
      const { answered, lost, status } = await stopUnderLoad(pictures, server)
      await bare.dispose()
      return {
        figures: [...figures.figures, ...memory],
        notes: [
          ...figures.notes,
          `SIGTERM under the load of 64 clients: ${answered} requests answered, ${[lost.length, ...new Set(lost)].join(' ')} accepted ones lost, exit status ${status}`,
        ],
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
}

/** JPEGs of soft noise, which compress as photographs do, in two classes. */
async function makePictures(folder: string, count: number): Promise<Uint8Array[]> {
  const pictures: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const random = randomFor('bench serve', i)
    const [width, height] = [20, 15]
    const data = Uint8Array.from({ length: width * height * 3 }, () => 256 * random.next())
    const soft = sharp(data, { raw: { width, height, channels: 3 } }).resize(SIZE.width, SIZE.height)
    const bytes = new Uint8Array(await soft.jpeg().toBuffer())
    const place = join(folder, i % 2 === 0 ? 'even' : 'odd')
    await mkdir(place, { recursive: true })
    await writeFile(join(place, `${i}.jpg`), bytes)
    pictures.push(bytes)
  }
  return pictures
}

async function startServer(run: string, threads: number) {
  const words = ['serve', '--run', run, '--port', '0', '--threads', String(threads), '--quiet']
  const child = spawn(process.execPath, [...NODE, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  const status = new Promise<number | null>((resolve) => child.on('close', resolve))
  const said = await new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve))
  return { child, status, url: said.split(' ').at(-1) ?? '' }
}

type Server = Awaited<ReturnType<typeof startServer>>

/** Sends one picture; gives the status of the answer. Throws where there is none. */
async function ask(url: string, agent: Agent, picture: Uint8Array): Promise<number> {
  const headers = { 'Content-Type': 'image/jpeg', 'Content-Length': picture.length }
  const sent: ClientRequest = request(`${url}/v1/classify?top=1`, { method: 'POST', agent, headers })
  sent.end(picture)
  return new Promise((resolve, reject) => {
    sent.on('error', reject)
    sent.on('response', (response) =>
      text(response).then((body) =>
        body.includes('"results"') ? resolve(response.statusCode ?? 0) : reject(new Error(body)),
      ),
    )
  })
}

/** `clients` at a time ask until `total` requests are answered; gives the milliseconds of each. */
async function askMany(
  url: string,
  pictures: readonly Uint8Array[],
  clients: number,
  total: number,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const times: number[] = []
  let next = 0
  const client = async () => {
    while (next < total) {
      const picture = pictures[next++ % pictures.length] ?? new Uint8Array()
      const start = performance.now()
      await ask(url, agent, picture)
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  agent.destroy()
  return times
}

async function throughput(
  pictures: readonly Uint8Array[],
  classify: (pictures: readonly Uint8Array[]) => Promise<unknown>,
  url: string,
  quick: BenchOptions['quick'],
): Promise<{ figures: Figure[]; notes: string[] }> {
  const total = (clients: number) => (clients === 1 ? 32 : 128)
  const latencies = CLIENTS.map((): number[] => [])
  const bareCpu: number[] = []
  const cpus = CLIENTS.map((): number[] => [])
  const bare = async () => {
    const before = process.cpuUsage()
    for (let start = 0; start < 128; start += BATCH) {
      await classify(
        Array.from({ length: BATCH }, (_, i) => pictures[(start + i) % pictures.length] ?? new Uint8Array()),
      )
    }
    const { user, system } = process.cpuUsage(before)
    bareCpu.push((user + system) / 1e3 / 128)
  }
  const tasks = CLIENTS.map((clients, i) => async () => {
    const before = await metricOf(url, 'process_cpu_seconds_total')
    latencies[i]?.push(...(await askMany(url, pictures, clients, total(clients))))
    const spent = (await metricOf(url, 'process_cpu_seconds_total')) - before
    cpus[i]?.push((1000 * spent) / total(clients))
  })
  for (const task of [bare, ...tasks]) await task()
  for (const values of [...latencies, ...cpus, bareCpu]) values.length = 0
  const [bareTimes = [], ...served] = await interleaved([bare, ...tasks], quick ? 3 : 11)
  const perSecond = (count: number, ms: readonly number[]) => ms.map((t) => (1000 * count) / t)
  const bareSpeed = perSecond(128, bareTimes)
  const bareName = 'openRun'
  const figures = [
    figure(bareName, BATCH, 'speed', 'pictures/s', bareSpeed),
    figure(bareName, BATCH, 'processor time', 'ms/picture', bareCpu),
  ]
  const notes: string[] = []
  for (const [i, clients] of CLIENTS.entries()) {
    const speed = perSecond(total(clients), served[i] ?? [])
    const sorted = (latencies[i] ?? []).toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
    const name = `${clients} client${clients === 1 ? '' : 's'}`
    figures.push(figure('clients', clients, 'speed', 'pictures/s', speed))
    figures.push(figure('clients', clients, 'processor time of the server', 'ms/picture', cpus[i] ?? []))
    for (const share of [0.5, 0.99]) figures.push(figure('clients', clients, `p${100 * share}`, 'ms', [at(share)]))
    const ratios = speed.map((one, round) => one / (bareSpeed[round] ?? Number.NaN))
    notes.push(`${name}: ${median(ratios).toFixed(2)} of openRun's pictures a second (median of the rounds)`)
  }
  return { figures, notes }
}

async function metricOf(url: string, name: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1])
}

/** Memory of the server after so many more requests. */
async function memoryOf(pictures: readonly Uint8Array[], url: string, after: readonly number[]): Promise<Figure[]> {
  const figures: Figure[] = []
  let done = 0
  for (const count of after) {
    await askMany(url, pictures, 8, count - done)
    done = count
    const bytes = await metricOf(url, 'process_resident_memory_bytes')
    figures.push(figure('requests', count, 'memory after them', 'MB', [bytes / 1e6]))
  }
  return figures
}

/** 64 clients ask again and again, and the server is told to stop: which requests that it accepted have no answer? */
async function stopUnderLoad(pictures: readonly Uint8Array[], { child, status, url }: Server) {
  let answered = 0
  const lost: string[] = []
  const client = async (i: number) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (;;) {
      try {
        await ask(url, agent, pictures[i % pictures.length] ?? new Uint8Array())
        answered++
        if (answered === 300) child.kill('SIGTERM')
      } catch (error) {
        // refused: it was not accepted
        if (!String(error).includes('ECONNREFUSED')) lost.push(String(error))
        agent.destroy()
        return
      }
    }
  }
  await Promise.all(Array.from({ length: 64 }, (_, i) => client(i)))
  return { answered, lost, status: await status }
}
