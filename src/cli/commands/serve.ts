import { z } from 'zod'
import { visible } from '../../base/visible.ts'
import { readText, statIfThere } from '../../node/files.ts'
import { defineCommand } from '../command.ts'
import { flags, positive, text, whole } from '../options.ts'
import { COMPUTING, modelOfRun } from '../shared-options.ts'

const MB = 1_000_000

export const serve = defineCommand({
  name: 'serve',
  summary: 'answer requests over HTTP with trained runs, and show the playground',
  details:
    'POST /v1/classify takes pictures and gives their classes; GET /openapi.json describes the rest. Prints its address, and a line of JSON for each request on standard error. Ctrl-C (SIGINT) or SIGTERM: answers the requests that have come, then ends; a second one ends it at once. A bearer token comes from --token-file or the variable COOP_TS_TOKEN.',
  operands: [],
  examples: [
    'coop-ts serve --run runs/photos',
    'curl -F image=@holiday.jpg http://127.0.0.1:8080/v1/classify?top=3',
    'coop-ts serve --run cats=runs/cats --run dogs=runs/dogs --port 9000',
    'coop-ts serve',
  ],
  hearsSignals: true,
  options: {
    runs: z.array(text('a run folder, or NAME=RUN')).default([]).register(flags, {
      flag: '--run',
      argument: 'RUN',
      repeat: true,
      help: 'run folder, or NAME=RUN; repeated: several runs, of which requests name one (?run=NAME)',
      otherwise: 'none: the playground alone',
    }),
    host: text('an address').default('127.0.0.1').register(flags, {
      flag: '--host',
      argument: 'ADDRESS',
      help: 'address to listen on; 0.0.0.0: all of this machine, so that others in the network can ask',
    }),
    port: whole(0, 65535)
      .default(8080)
      .register(flags, { flag: '--port', argument: 'N', help: 'port; 0: any free one' }),
    model: modelOfRun,
    tokenFile: text('a file').optional().register(flags, {
      flag: '--token-file',
      argument: 'FILE',
      help: 'file with a bearer token that requests must send',
      otherwise: '$COOP_TS_TOKEN, or none',
    }),
    origins: z.array(text('an origin')).default([]).register(flags, {
      flag: '--cors',
      argument: 'ORIGIN',
      repeat: true,
      help: 'origin of a page elsewhere that may ask, such as https://example.org; may be repeated',
      otherwise: 'none',
    }),
    maxBody: positive(10_000)
      .default(32)
      .register(flags, { flag: '--max-body', argument: 'MB', help: 'megabytes of a request at most' }),
    maxPixels: positive(180)
      .default(64)
      .register(flags, { flag: '--max-pixels', argument: 'MP', help: 'megapixels of a picture at most' }),
    pictures: whole(1, 10_000)
      .default(64)
      .register(flags, { flag: '--max-pictures', argument: 'N', help: 'pictures in a request at most' }),
    queue: whole(1)
      .default(512)
      .register(flags, { flag: '--queue', argument: 'N', help: 'pictures that wait for a run at most' }),
    seconds: positive(3600).default(30).register(flags, {
      flag: '--timeout',
      argument: 'SECONDS',
      help: 'time that a request has to arrive, and then to be answered',
    }),
    grace: positive(3600).default(30).register(flags, {
      flag: '--grace',
      argument: 'SECONDS',
      help: 'time that the requests under way have when it is stopped',
    }),
    ...COMPUTING,
  },
  async run(settings, _operands, hooks) {
    const [{ serveRuns }, { jsonLog }, { stopSignals }, { isLoopback }] = await Promise.all([
      import('../../serve/serve.ts'),
      import('../../serve/logs.ts'),
      import('../../serve/stop.ts'),
      import('../../serve/guard.ts'),
    ])
    const { host, port, model, origins, maxBody, maxPixels, pictures, queue, seconds, grace, device, threads } =
      settings
    const runs = await Promise.all(settings.runs.map(namedRun))
    const token = await readToken(settings.tokenFile)
    const log = settings.quiet ? () => undefined : jsonLog(process.stderr)
    const onWarning = (message: string) => log({ event: 'warning', message })
    if (!isLoopback(host) && token === undefined) {
      onWarning(`everybody who reaches ${host} can ask: give a token (--token-file), or listen on 127.0.0.1 (--host)`)
    }
    const limits = { bodyBytes: Math.round(maxBody * MB), pixels: Math.round(maxPixels * MB), pictures, queue, seconds }
    const { onProgress, signal } = hooks
    const serving = await serveRuns(
      runs.map((run) => ({ ...run, model })),
      { host, port, token, origins, limits, log, device, threads, onProgress, onWarning, signal },
    )
    const what = runs.length === 0 ? 'the playground' : serving.runs.join(', ')
    return {
      json: { url: serving.url, runs: serving.runs },
      text: `coop-ts serves ${what} on ${serving.url}`,
      until: stopSignals(async (signal) => {
        log({ event: 'stopping', signal })
        const cut = await serving.close({ graceSeconds: grace })
        log({ event: 'stopped', unanswered: cut })
        return { failed: cut > 0 }
      }),
    }
  },
})

/** `NAME=RUN`, or a folder, also one that has such a name. */
async function namedRun(word: string): Promise<{ run: string; name?: string }> {
  const [, name, run] = /^([^=/\\]+)=(.+)$/.exec(word) ?? []
  if (run === undefined || (await statIfThere(word)) !== undefined) return { run: word }
  return { run, name }
}

async function readToken(file: string | undefined): Promise<string | undefined> {
  const { checkedToken } = await import('../../serve/guard.ts')
  if (file !== undefined) return checkedToken(await readText(file), visible(file))
  const { COOP_TS_TOKEN } = process.env
  return COOP_TS_TOKEN ? checkedToken(COOP_TS_TOKEN, 'COOP_TS_TOKEN') : undefined
}
