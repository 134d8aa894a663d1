import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** Whether redis-server is installed here (Debian: `apt-get install redis-server`). */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0
if (!hasRedis) console.warn('redis-server is not installed here: tests of the queue are skipped')

/** A Redis server of a test's own on a free port, which keeps what it has in a temporary folder. */
export interface RedisServer {
  readonly url: string
  readonly shown: string
  /** To look into it. */
  readonly redis: Redis
  start(): Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
  /** It answers nothing, and keeps its connections. */
  freeze(): void
  thaw(): void
  /** Forgets all it has. */
  flush(): Promise<void>
  remove(): Promise<void>
}

export async function redisServer(password?: string): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'coop-redis-'))
  const port = await freePort()
  const url = `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes']
  if (password !== undefined) words.push('--requirepass', password)
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: null })
  redis.on('error', () => undefined)
  let child: ChildProcess | undefined
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child === undefined) return
    const ended = new Promise((resolve) => child?.once('exit', resolve))
    child.kill('SIGCONT')
    child.kill(signal)
    await ended
    child = undefined
  }
  const start = async () => {
    child = spawn('redis-server', words, { stdio: 'ignore' })
    if (redis.status === 'wait') redis.connect().catch(() => undefined)
    while ((await redis.ping().catch(() => '')) !== 'PONG') await sleep(20)
  }
  await start()
  return {
    url,
    shown: `127.0.0.1:${port}`,
    redis,
    start,
    stop,
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
    flush: async () => {
      await redis.flushall()
    },
    remove: async () => {
      redis.disconnect()
      await stop('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
