// Tries the package as a user gets it: packs dist/ (npm run build first), installs the tarball with npm in empty projects with
// nothing but the registry in reach, type-checks the README's example against its types and runs it, and the command with the
// samples, in a Node that must not warn. Each npm on a Node of its time.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import ts from 'typescript'
import { z } from 'zod'
import { readmeExample } from './readme.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What is tried: a version of npm on a version of Node. */
const PAIRS = [
  { npm: 10, node: 20 },
  { npm: 11, node: 22 },
  { npm: 12, node: 24 },
]

/** What a user's first lines do: each entry is imported, prompts are asked of the bundled model. */
const SMOKE = `
import { encodeTexts, loadClip, zeroShotFeatures } from 'coop-ts'
import { add, Graph, program } from 'coop-ts/graph'
import { bundledModel, folderModelFiles, nodeRuntime } from 'coop-ts/node'

const graph = new Graph()
const x = graph.input('x', [1])
const runtime = await nodeRuntime({ threads: 1 })
const session = await runtime.load(program(graph, { y: add(x, x) }))
const { y } = await session.run({ x: { dtype: 'float32', shape: [1], data: Float32Array.of(21) } })
const clip = await loadClip(folderModelFiles(bundledModel()))
const textFeatures = await zeroShotFeatures({ clip, runtime, classNames: ['cat', 'dog'], templates: ['a photo of a {}.'] })
const { shape } = await encodeTexts(clip, runtime, ['a cat'])
await runtime.close()
console.log(JSON.stringify({ sum: y.data[0], finite: textFeatures.data.every(Number.isFinite), texts: shape[0] }))
`

/** Only what is built can start this worker everywhere: an old Node reads no TypeScript in one. */
const BESIDE = `
import { Worker } from 'node:worker_threads'
import { decodeImage, encodePng } from 'coop-ts/node'
import { pixelsBeside } from './node_modules/coop-ts/dist/node/picture-pool.js'
import { prepared } from './node_modules/coop-ts/dist/pictures/prepare.js'

let answers = 0
const { emit } = Worker.prototype
Worker.prototype.emit = function (event, ...values) {
  if (event === 'message' && values[0]?.pixels) answers++
  return emit.call(this, event, ...values)
}
const how = { config: { size: 32, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] }, transforms: '2021-10' }
const views = [undefined, { seed: 1, content: 'abc', index: 0 }]
const image = (width, height) => ({ width, height, data: Uint8Array.from({ length: 3 * width * height }, (_, i) => Math.imul(i * i, 2654435761) >>> 24) })
const [large, small] = [await encodePng(image(803, 601)), await encodePng(image(40, 30))]
const pictures = [large, small, large, image(803, 601)]
const read = await Promise.all(pictures.map((picture) => pixelsBeside(picture, 'it', how, views)))
const wanted = await Promise.all(pictures.map(async (picture) => {
  const decoded = await decodeImage(picture)
  return views.map((view) => prepared(decoded, how, view))
}))
const same = read.every((pixels, k) => pixels.every((view, v) => view.every((value, i) => value === wanted[k][v][i])))
process.stdout.write(answers + ' of ' + pictures.length + ', ' + (same ? 'same pixels' : 'other pixels'))
`

const CONSUMER = {
  compilerOptions: {
    target: 'ES2022',
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    types: ['node'],
  },
  files: ['example.ts'],
}

const folder = mkdtempSync(join(tmpdir(), 'coop-package-'))
try {
  const { tarball, files } = pack()
  check('holds what is wanted only', files.every(isWanted), files.filter((file) => !isWanted(file)).join(', '))
  check(
    'has the files that package.json names',
    named().every((file) =>
      files.some((packed) => (file.endsWith('*') ? packed.startsWith(file.slice(0, -1)) : packed === file)),
    ),
    named().join(', '),
  )
  const foreign = importedBy(['public/web.js', 'web/worker.js', 'web/worker-webgpu.js', 'web/picture-worker.js'])
  const inPages = ['entities/decode', 'onnxruntime-web/wasm', 'onnxruntime-web/webgpu', 'zod']
  check('has an entry for pages without Node', foreign.join() === inPages.join(), foreign.join(', '))
  const lost = files
    .filter((file) => /^dist\/(?!playground).*\.js$/.test(file))
    .flatMap((file) => lostWorkers(file, files))
  check('has the workers that its files start', lost.length === 0, lost.join(', '))
  const dead = files.filter((file) => file.endsWith('.md')).flatMap((file) => deadLinks(file, files))
  check('has the files that its documents link to', dead.length === 0, dead.join(', '))
  const tools = installTools()
  for (const pair of PAIRS) await tryOut(tarball, tools, pair)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function tryOut(tarball: string, tools: string, { npm, node }: (typeof PAIRS)[number]): Promise<void> {
  const on = `on npm ${npm} and Node ${node}`
  const project = join(folder, `npm-${npm}`)
  const home = join(project, 'home')
  const nodeBin = join(tools, `node${node}`, 'bin')
  const npmCli = join(tools, `npm${npm}`, 'bin', 'npm-cli.js')
  const path = [nodeBin, process.env.PATH].join(delimiter)
  const run = (args: readonly string[], env: NodeJS.ProcessEnv) =>
    spawnSync(join(nodeBin, 'node'), args, { cwd: project, encoding: 'utf8', env: { ...env, PATH: path } })
  const install = (...args: readonly string[]) => run([npmCli, 'install', ...args], registryOnly())
  const inOwnHome = (...args: readonly string[]) => run(args, { HOME: home, XDG_CACHE_HOME: join(home, 'cache') })
  const command = (...args: readonly string[]) => inOwnHome('node_modules/coop-ts/dist/cli/main.js', ...args)
  mkdirSync(home, { recursive: true })
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module', private: true }))

  const installed = install(tarball, '@types/node@20')
  check(`can be installed ${on}`, installed.status === 0, installed.stderr)
  const fetched = cudaFiles(join(project, 'node_modules', 'onnxruntime-node'))
  check(`brings no CUDA ${on}`, fetched.length === 0, fetched.join(', '))

  writeFileSync(join(project, 'example.ts'), readmeExample())
  writeFileSync(join(project, 'example.js'), readmeExample()) // it has no types of its own
  writeFileSync(join(project, 'smoke.js'), SMOKE)
  writeFileSync(join(project, 'beside.js'), BESIDE)
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(CONSUMER))
  await savePictures(join(project, 'photos'))
  const tsc = inOwnHome(join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project)
  check(`fits the README's example with its types ${on}`, tsc.status === 0, tsc.stdout)

  const smoke = inOwnHome('smoke.js')
  const expected = JSON.stringify({ sum: 42, finite: true, texts: 1 })
  check(`runs without a warning ${on}`, smoke.stdout.trim() === expected && smoke.stderr === '', said(smoke))
  const beside = inOwnHome('beside.js')
  check(`reads large pictures in a worker ${on}`, beside.stdout === '3 of 4, same pixels', said(beside))
  const example = inOwnHome('example.js')
  const learned = /^accuracy 1 \(cross-validated\); .*\n\{ label: 'cat', /.test(example.stdout)
  check(`runs the README's example ${on}`, learned && example.stderr === '', said(example))
  const tried = [
    command('samples', 'samples'),
    command('train', 'samples/fantasy', '--method', 'coop', '--recipe', 'fast', '--out', 'runs/fantasy'),
    command('classify', 'runs/fantasy', 'samples/fantasy/test/vampire'),
    command('demo', 'style'),
  ]
  for (const one of tried) check(`does what the README tries first ${on}`, one.status === 0, said(one))
  const written = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((file) => !isOfCache(file))
  check(`writes to its own cache folder only ${on}`, written.length === 0, written.join(', '))

  const { version } = packageJson()
  const asked = command('--version')
  check(`has the command ${on}`, asked.stdout.trim() === version && asked.stderr === '', said(asked))
  const classify = () => command('classify', 'runs/photos', 'photos/dog/1.jpg')
  const classified = classify()
  check(
    `classifies on the command line ${on}`,
    /dog/.test(classified.stdout) && classified.status === 0,
    said(classified),
  )

  rmSync(join(project, 'node_modules', 'onnxruntime-node'), { recursive: true })
  const [, remedy = ''] = /npm install (.*)$/m.exec(classify().stderr) ?? []
  install(...remedy.split(' '))
  check(`says how to install ONNX Runtime where npm could not ${on}`, classify().stdout === classified.stdout, remedy)
}

/** Files that a file of the package starts as workers, and that are not beside it. */
function lostWorkers(file: string, files: readonly string[]): string[] {
  const started = readFileSync(join(ROOT, file), 'utf8').matchAll(
    /new URL\("(\.\/)?([\w-]+\.js)", import\.meta\.url\)/g,
  )
  return Array.from(started, ([, , worker = '']) => `${dirname(file)}/${worker}`).filter(
    (path) => !files.includes(path),
  )
}

/** What files of dist/, and those that they import, import of others. */
function importedBy(entries: readonly string[]): string[] {
  const seen = new Set<string>()
  const others = new Set<string>()
  for (const file of entries) visit(join(ROOT, 'dist', file))
  return [...others].sort()

  function visit(file: string): void {
    if (seen.has(file)) return
    seen.add(file)
    for (const { fileName } of ts.preProcessFile(readFileSync(file, 'utf8')).importedFiles) {
      if (fileName.startsWith('.')) visit(join(dirname(file), fileName))
      else others.add(fileName)
    }
  }
}

/** The environment of an npm that reaches the registry; the install script of onnxruntime-node reaches nothing. */
function registryOnly(): NodeJS.ProcessEnv {
  const isOurs = (name: string) => /^npm_(?!config_(registry|cache|cafile|userconfig)$)|^onnxruntime/i.test(name)
  const outside = Object.entries(process.env).filter(([name]) => !isOurs(name))
  return { ...Object.fromEntries(outside), GLOBAL_AGENT_HTTP_PROXY: 'http://127.0.0.1:9' }
}

/** Each Node and npm of PAIRS; gives the folder that holds them. */
function installTools(): string {
  const tools = join(folder, 'tools')
  mkdirSync(tools)
  writeFileSync(join(tools, 'package.json'), JSON.stringify({ private: true }))
  const system = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const wanted = PAIRS.flatMap(({ npm, node }) => [
    `npm${npm}@npm:npm@${npm}`,
    `node${node}@npm:node-${system}@${node}`,
  ])
  execFileSync('npm', ['install', '--no-audit', '--loglevel=error', '--engine-strict=false', ...wanted], {
    cwd: tools,
    env: registryOnly(),
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  return join(tools, 'node_modules')
}

/** Files with something in them; empty ones keep its install script from fetching. */
function cudaFiles(onnxruntime: string): string[] {
  if (!existsSync(onnxruntime)) return []
  return readdirSync(onnxruntime, { recursive: true, encoding: 'utf8' })
    .filter((file) => /providers_\w+\.(so|dll)$/.test(file))
    .filter((file) => statSync(join(onnxruntime, file)).size > 0)
}

async function savePictures(photos: string): Promise<void> {
  for (const [name, [r = 0, g = 0, b = 0]] of Object.entries({ cat: [220, 60, 30], dog: [30, 80, 220] })) {
    mkdirSync(join(photos, name), { recursive: true })
    for (let i = 1; i <= 31; i++) {
      const colour = { width: 64, height: 48, channels: 3, background: { r, g: g + i, b } } as const
      await sharp({ create: colour })
        .jpeg()
        .toFile(join(photos, name, `${i}.jpg`))
    }
  }
}

function isOfCache(file: string): boolean {
  return /^cache([/\\]coop-ts.*)?$/.test(file)
}

function said({ stdout, stderr }: { stdout: string; stderr: string }): string {
  return stdout + stderr
}

/** Packs the package; gives the tarball and the files in it. */
function pack(): { tarball: string; files: string[] } {
  const said = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  const packed = z
    .array(z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }))
    .length(1)
    .parse(JSON.parse(said))
  const [{ filename, files } = { filename: '', files: [] }] = packed
  return { tarball: join(folder, filename), files: files.map(({ path }) => path) }
}

/** Relative links of a document to files that are not in the package. */
function deadLinks(document: string, files: readonly string[]): string[] {
  const links = readFileSync(join(ROOT, document), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)
  return Array.from(links, ([, link = '']) => join(dirname(document), link).replaceAll('\\', '/'))
    .filter((file) => !files.some((packed) => packed === file || packed.startsWith(`${file}/`)))
    .map((file) => `${document} links to ${file}`)
}

function isWanted(file: string): boolean {
  const wanted =
    /^(dist|docs|install|models|samples|src)\/|^(package\.json|(README|CONTRIBUTING)\.md|LICENSE|NOTICE)$/.test(file)
  return wanted && !/\.test\.|fixtures|testing|\blab\b/.test(file)
}

/** Files that entries and commands point to. */
function named(): string[] {
  const { bin, exports } = packageJson()
  const targets = Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  )
  return [...targets, ...Object.values(bin)].map((path) => path.replace(/^\.\//, ''))
}

function packageJson() {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8')
  const paths = z.record(z.string(), z.string())
  return z
    .object({
      version: z.string(),
      bin: paths,
      exports: z.record(z.string(), z.union([z.string(), paths])),
    })
    .parse(JSON.parse(text))
}

function check(what: string, holds: boolean, otherwise: string): void {
  console.log(`package ${what}: ${holds ? 'ok' : 'FAIL'}`)
  if (holds) return
  console.error(otherwise)
  process.exitCode = 1
}
